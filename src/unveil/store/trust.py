"""Trust cards and targets to plain tables and back."""

from unveil.records import ShapleyGame, ShownLabel, TrustCard, TrustCards, Verdict
from unveil.store.tables import Table, damaged
from unveil.targets import TargetScore


def encode_target(score: TargetScore) -> dict:
    """The table of a target: its name, and pairs of class index and weight."""
    return {"name": score.name, "weights": [[int(index), float(weight)] for index, weight in score.weights]}


def decode_target(table: Table, labels: int | None = None) -> TargetScore:
    """The target of a table, of a classifier with that many labels. Raises `RecordError`."""
    rows = table.rows("weights")
    if not rows or any(len(row) != 2 or row[0] != int(row[0]) or row[0] < 0 for row in rows):
        raise damaged(f"{table.at('weights')!r} in run.json to be pairs of a class index and a weight", f"{rows}"[:60])
    if labels is not None and any(row[0] >= labels for row in rows):
        raise damaged(f"{table.at('weights')!r} in run.json to have class indices below {labels}", f"{rows}"[:60])
    return TargetScore(table.text("name"), tuple((int(index), weight) for index, weight in rows))


def encode_shown(label: ShownLabel) -> dict:
    """The table of a label that a region shows."""
    return {"class_index": int(label.class_index), "name": label.name, "gain": float(label.gain)}


def decode_shown(table: Table, labels: int) -> ShownLabel:
    """A label that a region shows, of a classifier with that many labels. Raises `RecordError`."""
    index = table.whole("class_index")
    if index >= labels:
        raise damaged(f"{table.at('class_index')!r} in run.json to be below {labels}", f"{index}")
    return ShownLabel(index, table.text("name"), table.number("gain", -1, 1))


def encode_cards(trust: TrustCards) -> dict:
    """The table `trust` of the manifest."""
    return {
        "passes": int(trust.passes),
        "cards": [_card(card) for card in trust.cards],
        "games": [_game(game) for game in trust.games],
    }


def decode_cards(table: Table, regions: int, labels: int) -> TrustCards:
    """The trust cards of a run with that many regions. Raises `RecordError`."""
    tables = table.tables("cards")
    if len(tables) != regions:
        raise damaged(f"{table.at('cards')!r} in run.json to have one card per region, {regions}", f"{len(tables)}")
    return TrustCards(
        tuple(_read_card(card) for card in tables),
        tuple(_read_game(game, regions, labels) for game in table.tables("games")),
        table.whole("passes"),
    )


def _card(card: TrustCard) -> dict:
    return {
        "necessity": float(card.necessity),
        "sufficiency": float(card.sufficiency),
        "baseline": float(card.baseline),
        "placements": int(card.placements),
        "p_value": card.p_value,
        "p_holm": card.p_holm,
        "q_value": card.q_value,
        "fill_drops": [float(drop) for drop in card.fill_drops],
        "fill_agreement": None if card.fill_agreement is None else float(card.fill_agreement),
        "boundary_share": card.boundary_share,
        "randomized_overlap": card.randomized_overlap,
        "randomized_rank_correlation": card.randomized_rank_correlation,
        "shapley_value": card.shapley_value,
        "verdict": str(card.verdict),
        "reason": card.reason,
    }


def _read_card(table: Table) -> TrustCard:
    return TrustCard(
        necessity=table.number("necessity"),
        sufficiency=table.number("sufficiency"),
        baseline=table.number("baseline"),
        placements=table.whole("placements"),
        p_value=table.share_or_none("p_value"),
        p_holm=table.share_or_none("p_holm"),
        q_value=table.share_or_none("q_value"),
        fill_drops=table.numbers("fill_drops"),
        fill_agreement=table.share_or_none("fill_agreement"),
        boundary_share=table.number_or_none("boundary_share"),
        randomized_overlap=table.share_or_none("randomized_overlap"),
        randomized_rank_correlation=table.number_or_none("randomized_rank_correlation", -1, 1),
        shapley_value=table.number_or_none("shapley_value"),
        verdict=table.one_of("verdict", Verdict),
        reason=table.text("reason"),
    )


def _game(game: ShapleyGame) -> dict:
    return {
        "track": game.track,
        "target": encode_target(game.target_score),
        "players": list(game.players),
        "value_all": game.value_all,
        "value_none": game.value_none,
        "shares": list(game.shares),
        "interactions": [list(row) for row in game.interactions],
    }


def _read_game(table: Table, regions: int, labels: int) -> ShapleyGame:
    players, shares, rows = table.wholes("players"), table.numbers("shares"), table.rows("interactions")
    if any(player >= regions for player in players):
        raise damaged(f"{table.at('players')!r} in run.json to be below {regions}", f"{list(players)}")
    if not len(players) == len(shares) == len(rows) or any(len(row) != len(players) for row in rows):
        got = f"{len(players)} players, {len(shares)} shares, {len(rows)} rows"
        raise damaged(f"{table.place!r} in run.json to have a share and a row of interactions per player", got)
    track, target = table.text_or_none("track"), decode_target(table.table("target"), labels)
    return ShapleyGame(track, target, players, table.number("value_all"), table.number("value_none"), shares, rows)

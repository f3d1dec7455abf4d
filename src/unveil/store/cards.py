"""Trust cards to plain tables and back."""

from unveil.cards import Card, Cards, Game, Verdict
from unveil.store.tables import Table, damaged


def encode_cards(trust: Cards) -> dict:
    """The table `trust` of the manifest."""
    return {
        "passes": int(trust.passes),
        "cards": [_card(card) for card in trust.cards],
        "games": [_game(game) for game in trust.games],
    }


def decode_cards(table: Table, regions: int) -> Cards:
    """The cards of a run with so many regions. Raises `RecordError`."""
    tables = table.tables("cards")
    if len(tables) != regions:
        raise damaged(f"{table.at('cards')!r} in run.json to have one card a region, {regions}", f"{len(tables)}")
    return Cards(
        tuple(_read_card(card) for card in tables),
        tuple(_read_game(game, regions) for game in table.tables("games")),
        table.whole("passes"),
    )


def _card(card: Card) -> dict:
    return {
        "necessity": float(card.necessity),
        "sufficiency": float(card.sufficiency),
        "empty": float(card.empty),
        "draws": int(card.draws),
        "p": card.p,
        "p_holm": card.p_holm,
        "q": card.q,
        "drops": [float(drop) for drop in card.drops],
        "agreement": float(card.agreement),
        "border": card.border,
        "survives": card.survives,
        "likeness": card.likeness,
        "share": card.share,
        "verdict": str(card.verdict),
        "reason": card.reason,
    }


def _read_card(table: Table) -> Card:
    return Card(
        necessity=table.number("necessity"),
        sufficiency=table.number("sufficiency"),
        empty=table.number("empty"),
        draws=table.whole("draws"),
        p=table.number_or_none("p"),
        p_holm=table.number_or_none("p_holm"),
        q=table.number_or_none("q"),
        drops=table.numbers("drops"),
        agreement=table.number("agreement"),
        border=table.number_or_none("border"),
        survives=table.number_or_none("survives"),
        likeness=table.number_or_none("likeness"),
        share=table.number_or_none("share"),
        verdict=table.one_of("verdict", Verdict),
        reason=table.text("reason"),
    )


def _game(game: Game) -> dict:
    return {
        "track": game.track,
        "target": game.target,
        "players": list(game.players),
        "whole": game.whole,
        "rest": game.rest,
        "shares": list(game.shares),
        "interactions": [list(row) for row in game.interactions],
    }


def _read_game(table: Table, regions: int) -> Game:
    players, shares, rows = table.wholes("players"), table.numbers("shares"), table.rows("interactions")
    if any(player >= regions for player in players):
        raise damaged(f"{table.at('players')!r} in run.json to be below {regions}", f"{list(players)}")
    if not len(players) == len(shares) == len(rows) or any(len(row) != len(players) for row in rows):
        got = f"{len(players)} players, {len(shares)} shares, {len(rows)} rows"
        raise damaged(f"{table.place!r} in run.json to have a share and a row of interactions a player", got)
    track, target = table.text_or_none("track"), table.text("target")
    return Game(track, target, players, table.number("whole"), table.number("rest"), shares, rows)

// Heat maps of where regions fall: a click lists the runs with a region of the label in that place.
function attachHeatMaps(choose) {
  for (const item of document.querySelectorAll(".heats li")) {
    const image = item.querySelector("img");
    const button = makeTag("button", "");
    button.type = "button";
    button.setAttribute("aria-label", `Runs with regions of ${item.dataset.label}`);
    image.before(button);
    button.append(image, makeTag("i"));
    button.addEventListener("click", (event) => {
      const box = image.getBoundingClientRect();
      // The keyboard has no place: then all runs of the label.
      const inside = event.detail > 0 && box.width > 0;
      const cell = (value, size) => Math.min(CELLS - 1, Math.max(0, Math.floor((value / size) * CELLS)));
      const place = inside ? cell(event.clientY - box.top, box.height) * CELLS + cell(event.clientX - box.left, box.width) : null;
      choose(item.dataset.label, place);
    });
  }
}

// Marks the place that was chosen on the map of its label, or on all of them.
function markPlace(label, place) {
  for (const item of document.querySelectorAll(".heats li")) {
    const mark = item.querySelector("i");
    const on = place !== null && (!label || label === item.dataset.label);
    item.classList.toggle("chosen", label === item.dataset.label);
    mark.hidden = !on;
    if (!on) continue;
    mark.style.left = `${((place % CELLS) / CELLS) * 100}%`;
    mark.style.top = `${(Math.floor(place / CELLS) / CELLS) * 100}%`;
  }
}

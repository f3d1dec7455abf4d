// The page of two runs: draws both in one viewer.
document.documentElement.classList.add("js");
const textOf = (letter) => document.getElementById(`view-${letter}`).content.textContent;
const texts = { view: textOf("A"), compare: textOf("B") };
globalThis[Symbol.for("unveil.viewer")].render({ model: { get: (name) => texts[name] ?? null }, el: document.getElementById("pair") });

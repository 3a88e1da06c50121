// Of the parts of a film. A click shows a part and tells the server which one; the one that plays is marked.
const parts = () => [...element.querySelectorAll("[data-part]")];
element.addEventListener("click", (event) => {
  const part = event.target.closest("[data-part]");
  if (!part || part.ariaDisabled === "true") return;
  window.dispatchEvent(new CustomEvent("film-seek", { detail: Number(part.dataset.begin) }));
  trigger("select", { part: Number(part.dataset.part) });
});
window.addEventListener("film-time", ({ detail }) => {
  const isSeen = (part) => part.ariaDisabled !== "true" && Number(part.dataset.begin) <= detail;
  const playing = parts().findLast(isSeen); // at the very end the last one that is there
  parts().forEach((part) => part.classList.toggle("playing", part === playing));
});
let held = null;
element.addEventListener("focusin", ({ target }) => { held = target.dataset.part ?? null; });
element.addEventListener("focusout", ({ target }) => setTimeout(() => { if (target.isConnected) held = null; }));
watch("value", () => {
  if (held === null || document.activeElement !== document.body) return;
  element.querySelector(`[data-part="${held}"]`)?.focus({ preventScroll: true });
});

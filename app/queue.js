// Of the queue. A click tells the server which job and what to do, and goes to where it is done. When rows move, the focus goes with its job, and never to a button that now means another one.
const places = { show: "area-result", edit: "area-prompt" };
const goTo = (id) => {
  const place = document.getElementById(id);
  const { top } = place.getBoundingClientRect();
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (top < 0 || top > innerHeight / 2) place.scrollIntoView({ behavior: isCalm ? "auto" : "smooth" });
};
let held = null;
const keyOf = (button) => ({ job: button.dataset.job, action: button.dataset.action });
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (!button || button.ariaDisabled === "true") return;
  trigger("select", keyOf(button));
  const place = places[button.dataset.action];
  if (place) goTo(place);
});
element.addEventListener("focusin", (event) => {
  held = event.target.dataset.action ? keyOf(event.target) : null;
});
element.addEventListener("focusout", (event) => {
  setTimeout(() => { if (event.target.isConnected && !element.contains(document.activeElement)) held = null; });
});
watch("value", () => {
  if (!held) return;
  const { job, action } = held;
  const now = document.activeElement;
  if (now !== document.body && !element.contains(now)) return;
  if (now.dataset.job === job && now.dataset.action === action) return;
  const buttons = [...element.querySelectorAll("[data-action]")].filter((button) => button.dataset.job === job);
  const next = buttons.find((button) => button.dataset.action === action) ?? buttons[0] ?? element.querySelector("h3");
  next?.focus({ preventScroll: true });
});

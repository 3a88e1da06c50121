// The choice of LoRAs. What is chosen, and how strongly, goes into a text box that nobody sees, which is what is sent.
const root = () => element.querySelector(".loras");
const box = () => root() && document.querySelector(root().dataset.box);
const rows = () => [...element.querySelectorAll(".loras li")];
const parts = (row) => ({
  check: row.querySelector("[type=checkbox]"), weight: row.querySelector("[type=range]"),
  side: row.querySelector(".lora-weight"), said: row.querySelector("output"),
});
const read = () => { try { const found = JSON.parse(box().value || "[]"); return Array.isArray(found) ? found : []; } catch { return []; } };
let sent = null;
const send = () => {
  const chosen = rows().map(parts).filter(({ check }) => check.checked);
  const named = chosen.map(({ check, weight }) => ({ id: check.value, weight: Number(weight.value) }));
  sent = named.length ? JSON.stringify(named) : "";
  const field = box();
  if (!field || field.value === sent) return;
  field.value = sent;
  field.dispatchEvent(new Event("input", { bubbles: true }));
};
const mark = () => {
  const isFull = rows().map(parts).filter(({ check }) => check.checked).length >= Number(root()?.dataset.most);
  for (const row of rows()) {
    const { check, weight, side, said } = parts(row);
    row.classList.toggle("chosen", check.checked);
    side.hidden = !check.checked;
    said.textContent = Number(weight.value).toFixed(2);
    check.disabled = isFull && !check.checked;
  }
  const limit = element.querySelector(".loras-limit");
  if (limit) limit.textContent = isFull ? limit.dataset.sentence : "";
};
const weigh = (slider, weight) => {
  slider.value = weight;
  if (Number(slider.value) === weight) return;
  slider.min = Math.min(slider.min, Math.floor(weight)); // a recipe may ask for more than is offered
  slider.max = Math.max(slider.max, Math.ceil(weight));
  slider.step = "any";
  slider.value = weight;
};
const show = (isNewList) => {
  if (!root()) return;
  if (!box()) { setTimeout(() => show(isNewList), 50); return; }
  const chosen = new Map(read().map((use) => [use.id, use.weight]));
  for (const row of rows()) {
    const { check, weight } = parts(row);
    check.checked = chosen.has(check.value);
    if (check.checked) weigh(weight, chosen.get(check.value));
  }
  mark();
  const there = rows().map((row) => parts(row).check.value);
  if (isNewList && [...chosen.keys()].some((id) => !there.includes(id))) send(); // else what was chosen may be on its way to the box
};
element.addEventListener("input", ({ target }) => {
  if (target.step === "any") target.step = target.dataset.step; // whoever moves it means what is offered
  mark();
  send();
});
element.addEventListener("click", ({ target }) => {
  const words = target.closest("[data-say]")?.dataset.say;
  const fields = [...document.querySelectorAll(root()?.dataset.sentence ?? "none")];
  const field = fields.find((one) => !one.value.trim()) ?? fields[0];
  if (!words || !field || field.value.includes(words)) return;
  const { value, selectionStart: start, selectionEnd: end } = field; // where somebody wrote last, or what is selected
  const at = start === end ? end + value.slice(end).search(/\s|$/) : start; // not within a word
  field.value = [value.slice(0, at), words, value.slice(Math.max(at, end))].map((part) => part.trim()).filter(Boolean).join(" ");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});
window.addEventListener("loras-chosen", ({ detail }) => {
  if (root() && detail.box === root().dataset.box && detail.text !== sent) show(false); // it may be one that is not in the list yet
});
watch("value", () => setTimeout(() => show(true)));
show(false); // the list may be read anew in a moment, with what is chosen in it;
setTimeout(() => show(true), 5000); // what is not in it by then is gone

// Of the pictures that were given. What is typed about each goes into a text box that nobody sees, by the picture's key, which is what is sent; so it outlives a new list.
const box = () => document.querySelector("#lora-captions textarea");
const read = () => { try { return JSON.parse(box().value) || {}; } catch { return {}; } };
const write = (captions) => {
  box().value = JSON.stringify(captions);
  box().dispatchEvent(new Event("input", { bubbles: true }));
};
const fields = () => [...element.querySelectorAll("[data-key]")];
element.addEventListener("input", ({ target }) => {
  if (target.dataset.key) write({ ...read(), [target.dataset.key]: target.value });
});
element.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-action]");
  if (button) trigger("select", { action: button.dataset.action, subject: button.dataset.subject });
});
const show = () => {
  if (!box()) { setTimeout(show, 50); return; }
  const captions = read();
  for (const field of fields()) if (field !== document.activeElement) field.value = captions[field.dataset.key] ?? "";
};
window.showCaptions = show;
watch("value", show);
show();

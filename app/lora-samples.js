// Of the samples of a training: a click on a frame shows that sample on the screen.
element.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-sample]");
  const shown = element.querySelector(".lora-screen img");
  if (!button || !shown) return;
  shown.src = button.querySelector("img").src;
  for (const other of element.querySelectorAll("[data-sample]")) other.ariaPressed = String(other === button);
});
const showNewest = () => {
  const strip = element.querySelector(".lora-strip");
  if (strip) strip.scrollLeft = strip.scrollWidth;
};
watch("value", () => setTimeout(showNewest));
showNewest();

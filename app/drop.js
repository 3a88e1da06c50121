() => {
  // A file dropped anywhere on the page is given to the field for recipes: no browser opens it.
  // What is dragged from the page itself, a picture say, is no file of the visitor's.
  const hint = document.getElementById("drop-hint");
  let isOurs = false;
  document.addEventListener("dragstart", () => { isOurs = true; }, true);
  document.addEventListener("dragend", () => { isOurs = false; }, true);
  const fields = "#film-picture, #film-video, #film-end-picture"; // they take files of their own
  const holdsFiles = (event) => !isOurs && event.dataTransfer?.types.includes("Files")
    && !event.target.closest?.(fields);
  const listen = (name, listener) => document.addEventListener(name, (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    listener(event);
  }, true);
  listen("dragenter", () => { hint.hidden = false; });
  listen("dragover", (event) => { event.dataTransfer.dropEffect = "copy"; });
  listen("dragleave", (event) => { if (!event.relatedTarget) hint.hidden = true; });
  listen("drop", (event) => {
    hint.hidden = true;
    const field = document.querySelector("#recipe-file input[type=file]");
    const [file] = event.dataTransfer.files;
    if (!field || !file) return; // one is on its way already
    const files = new DataTransfer();
    files.items.add(file);
    field.files = files.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

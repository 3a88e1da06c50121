() => {
  // A file dropped anywhere on the page is given to the field for recipes: no browser opens it.
  // But what is dropped on another field for files is for that one.
  // What is dragged from the page itself, a picture say, is no file of the visitor's.
  const hint = document.getElementById("drop-hint");
  let isOurs = false;
  document.addEventListener("dragstart", () => { isOurs = true; }, true);
  document.addEventListener("dragend", () => { isOurs = false; }, true);
  const holdsFiles = (event) => !isOurs && event.dataTransfer?.types.includes("Files");
  const isForAnother = ({ target }) => {
    const field = target.closest?.(".upload-container");
    return field && !field.closest("#recipe-file");
  };
  const listen = (name, listener) => document.addEventListener(name, (event) => {
    if (!holdsFiles(event)) return;
    if (isForAnother(event)) {
      hint.hidden = true;
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    listener(event);
  }, true);
  listen("dragenter", () => { hint.hidden = false; });
  listen("dragover", (event) => {
    hint.hidden = false;
    event.dataTransfer.dropEffect = "copy";
  });
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

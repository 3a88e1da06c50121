() => {
  // A reload comes back to the tab that was open.
  const kept = sessionStorage.getItem("lavie-tab"); // a new window begins with the first one
  if (kept) document.getElementById(kept)?.click();
  window.addEventListener("pagehide", () => {
    const open = document.querySelector("button[role=tab][aria-selected=true]");
    if (open) sessionStorage.setItem("lavie-tab", open.id);
  });

  // A field that was refused may be out of sight, on a phone above all: bring the first one back.
  // Gradio may take back what it said there before anything was changed: then it is said again.
  let said = new Map(), lost = new Map();
  const sayAgain = () => {
    const places = { "film-studio": "film-mistakes", "lora-studio": "lora-mistakes" };
    const studioOf = (field) => document.getElementById(field)?.closest("#film-studio, #lora-studio");
    const all = new Map(lost), story = document.querySelector("#story-text .validation-error:not(input, textarea)");
    if (story) all.set("story-text", story.textContent); // far above its button, and its box cannot take the focus
    for (const place of ["mistakes", ...Object.values(places)]) {
      const own = [...all].filter(([field]) => (places[studioOf(field)?.id] ?? "mistakes") === place);
      const text = own.map(([, sentence]) => sentence).join(" ");
      const mistakes = document.getElementById(place);
      if (mistakes && mistakes.textContent !== text) mistakes.textContent = text;
    }
  };
  const observer = new MutationObserver(() => {
    const refused = document.querySelector("input.validation-error, textarea.validation-error");
    if (refused && refused !== observer.last) refused.focus();
    observer.last = refused;
    const sentences = document.querySelectorAll(".validation-error:not(input, textarea)");
    const now = new Map([...sentences].map((e) => [e.closest(".block")?.id, e.textContent]));
    said.forEach((sentence, field) => { if (!now.has(field)) lost.set(field, sentence); });
    now.forEach((_, field) => lost.delete(field));
    said = now;
    sayAgain();
  });
  observer.observe(document.body, { subtree: true, childList: true, attributeFilter: ["class"] });
  for (const name of ["input", "click"]) {
    document.addEventListener(name, () => { said.clear(); lost.clear(); sayAgain(); }, true);
  }

  // Keys press buttons, from anywhere on their tab.
  const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
  const shortcuts = { generate: "Control+Enter Meta+Enter", cancel: "Escape" };
  for (const hint of document.querySelectorAll("#keys [data-button]")) {
    const button = document.getElementById(hint.dataset.button);
    const keys = [...hint.querySelectorAll("kbd")];
    if (isMac && keys[0].textContent === "Ctrl") keys[0].textContent = "⌘";
    button.title = keys.map((key) => key.textContent).join("+");
    button.setAttribute("aria-keyshortcuts", shortcuts[button.id]);
  }
  const press = (id) => {
    const button = document.getElementById(id);
    if (!button || button.disabled || button.offsetParent === null) return false;
    const field = document.activeElement;
    field?.blur(); // a number that was just typed counts
    setTimeout(() => { button.click(); field?.focus({ preventScroll: true }); }, 50);
    return true;
  };
  const isSomethingOpen = () => document.fullscreenElement !== null || document.querySelector(
    "[role=listbox], [role=dialog], dialog[open], .api-docs, .overflow-dropdown:not(.hide)"
  ) !== null;
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.repeat || event.defaultPrevented) return;
    const isGenerate = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    const isCancel = event.key === "Escape" && !isSomethingOpen();
    const buttons = isGenerate ? ["generate"] : isCancel ? ["leave", "cancel"] : []; // a change is left before a video is stopped
    if (buttons.some(press)) event.preventDefault();
  }, true);
}

() => {
  // A field that was refused may be out of sight, on a phone above all: bring the first one back.
  const observer = new MutationObserver(() => {
    const refused = document.querySelector("input.validation-error, textarea.validation-error");
    if (refused && refused !== observer.last) refused.focus();
    observer.last = refused;
  });
  observer.observe(document.body, { subtree: true, childList: true, attributeFilter: ["class"] });
}

// Of the lists of models. A click on a button tells the server what to do with what.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) trigger("select", { action: button.dataset.action, subject: button.dataset.subject });
});

// Of cards, and of what is said about a video. A click on a card tells the server which job it is; times are as the visitor's clock has them.
const localise = () => element.querySelectorAll("time").forEach((time) => {
  const options = { dateStyle: "medium", timeStyle: "short" };
  time.textContent = new Date(time.dateTime).toLocaleString(undefined, options);
});
element.addEventListener("click", (event) => {
  const card = event.target.closest("[data-job]");
  if (card) trigger("select", { job: card.dataset.job });
});
watch("value", localise);
localise();

// While the server starts again: look every second whether another one answers, then load its page.
const waitForTheNext = async () => {
  if (!element.querySelector("[data-restart]")) return;
  for (let second = 0; second < 180; second++) {
    await new Promise((done) => setTimeout(done, 1000));
    try {
      const answer = await (await fetch("gradio_api/app_id", { cache: "no-store" })).json();
      if (String(answer.app_id) !== String(window.gradio_config.app_id)) return location.reload();
    } catch {
      // It is not there yet
    }
  }
  element.querySelector("[data-late]").hidden = false;
};
watch("value", waitForTheNext);

import json
from zipfile import ZipFile

import pytest
from gradio_client import handle_file
from gradio_client.exceptions import AppError

from app.request import FIELDS

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # of gradio's and its client's own threads
]

PROMPT = "a panda moving left over ocean"
PUBLIC = {"submit", "submit_stage", "status", "follow", "cancel", "retry", "list", "queue"}
PUBLIC |= {"star", "delete", "restore", "batch", "files", "film", "film_from", "redo"}
PUBLIC |= {
    "train_lora",
    "training",
    "finish_training",
    "discard_training",
    "loras",
    "rename_lora",
    "tag_lora",
}
PUBLIC |= {"delete_lora", "export_lora", "import_lora"}


@pytest.fixture
def ask(client):
    return lambda name, **arguments: client.predict(api_name=f"/{name}", **arguments)


@pytest.fixture
def make(client, ask):
    def make(**values) -> dict:
        job_id = ask("submit", prompt=PROMPT, **values)["id"]
        return client.submit(job_id, api_name="/follow").result(timeout=60)

    return make


def test_only_the_endpoints_are_listed_and_each_says_what_it_does(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert {name.strip("/") for name in endpoints} == PUBLIC
    assert all(endpoint["description"] for endpoint in endpoints.values())
    parameters = [item["parameter_name"] for item in endpoints["/submit"]["parameters"]]
    assert set(parameters) == set(FIELDS)


def test_a_job_is_submitted_followed_and_fetched(make, ask, studio):
    job = make(seed=7)
    assert (job["state"], job["seed"], job["error"]) == ("done", 7, None)
    assert [result["stage"] for result in job["results"]] == ["base"]
    assert ask("status", job_id=job["id"]) == job
    (folder,) = studio.data.glob(f"results/*/{job['id']}")
    made = {"base.webm", "base.gif", "base-png.zip"}
    for name in made:  # its frames are none that one could be made of
        (folder / name).write_text("made before")
    got = ask("files", job_id=job["id"], format="zip", made_by="base")
    assert set(ZipFile(got).namelist()) == {"base.video", "base.view", "base.recipe", *made}


def test_a_result_goes_on_to_its_next_stage(make, ask, client):
    job = make()
    new = ask("submit_stage", job_id=job["id"], stage="interpolation")
    done = client.submit(new["id"], api_name="/follow").result(timeout=60)
    assert done["stages"] == ["base", "interpolation"]
    assert done["state"] == "done"


def test_a_waiting_job_tells_its_place_and_is_cancelled_and_retried(ask, studio):
    studio.tell("pause")
    try:
        first, second = (ask("submit", prompt=PROMPT)["id"] for _ in range(2))
        job = ask("status", job_id=second)
        assert (job["state"], job["place"]) == ("queued", 1)
        assert ask("cancel", job_id=second)["state"] == "cancelled"
        assert [job["id"] for job in ask("queue")] == [first]
        assert ask("retry", job_id=second)["state"] == "queued"
        assert [job["id"] for job in ask("queue")] == [first, second]
    finally:
        studio.tell("go on")


def test_what_was_made_is_listed_starred_deleted_and_brought_back(make, ask):
    job_id = make()["id"]
    listed = lambda **search: [job["id"] for job in ask("list", **search)]  # noqa: E731
    assert job_id in listed(search="PANDA")
    assert listed(search="zebra") == []
    ask("star", job_id=job_id)
    assert listed(only_starred=True) == [job_id]
    ask("delete", job_id=job_id)
    assert job_id not in listed()
    ask("delete", job_id=job_id, undo=True)
    assert job_id in listed()


def test_a_recipe_gives_the_values_of_its_request(ask, tmp_path):
    settings = {"num_inference_steps": 9, "guidance_scale": 5.0, "scheduler": "ddim"}
    settings |= {"width": 64, "height": 40, "num_frames": 16}
    recipe = {"stages": ["base"], "settings": {"base": settings}, "prompt": PROMPT, "seed": 11}
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe))
    values = ask("restore", file=handle_file(str(path)))["values"]
    assert (values["prompt"], values["seed"], values["num_inference_steps"]) == (PROMPT, "11", 9)
    assert ask("submit", **values)["seed"] == 11


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", f"prompt,seed,smooth\n{PROMPT},5,no\n{PROMPT},6,\n"),
        ("list.jsonl", f'{{"prompt": "{PROMPT}", "seed": 5}}\n\n{{"prompt": "{PROMPT}"}}\n'),
    ],
)
def test_a_list_of_videos_is_queued_at_once(ask, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    ids = ask("batch", file=handle_file(str(tmp_path / name)))["ids"]
    assert len(ids) == 2
    assert ask("status", job_id=ids[0])["seed"] == 5


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", f"prompt,width\n{PROMPT},64\n{PROMPT},63\n", "Row 2: Width 63"),
        ("a.csv", f"prompt,size\n{PROMPT},64\n", "no setting “size”"),
        ("a.jsonl", "[1]\n{", "Row 2: This is no JSON object"),
        ("a.jsonl", "", "has 0 videos"),
        ("a.txt", PROMPT, "Name it .csv or .jsonl"),
    ],
)
def test_a_wrong_list_queues_nothing_and_says_why(ask, tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(AppError, match=sentence):
        ask("batch", file=handle_file(str(tmp_path / name)))


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("submit", {"prompt": ""}, "rompt"),
        ("submit", {"prompt": PROMPT, "width": "wide"}, "Width 'wide' is not a number"),
        ("submit", {"prompt": PROMPT, "smooth": "maybe"}, "Smooth must be on or off"),
        ("submit", {"prompt": ["a"]}, "rompt"),
        ("status", {"job_id": "none"}, "There is no job none"),
        ("status", {"job_id": [1]}, "The id of a job is a text"),
        ("follow", {"job_id": {}}, "The id of a job is a text"),
        ("list", {"limit": 10**9}, "is not between 1 and 200"),
        ("list", {"search": 5}, "The search is a text"),
        ("submit_stage", {"job_id": "none", "stage": "base"}, "There is no job none"),
        ("files", {"job_id": "../../x", "format": "mp4", "made_by": ""}, "There is no job"),
        ("star", {"job_id": "none", "is_starred": "yes"}, "must be true or false"),
    ],
)
def test_a_wrong_request_is_refused_with_a_sentence(ask, name, arguments, sentence):
    with pytest.raises(AppError, match=sentence):
        ask(name, **arguments)

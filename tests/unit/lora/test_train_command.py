"""What the command that trains makes of its flags and of settings from before."""

import json

from lavie.cli.lora import create_parser
from lavie.cli.lora_train import _read_settings
from tests.unit.lora.personal import draw_pictures


def test_new_pictures_have_no_captions_of_those_before(tmp_path):
    old, new = (draw_pictures(tmp_path / name) for name in ("old", "new"))
    captions = ["red", "blue", "green"]
    values = {"output": str(tmp_path), "name": "x", "token": "zog", "captions": captions}
    settings = tmp_path / "personal.yaml"
    settings.write_text(json.dumps(values | {"images": list(map(str, old))}))

    def read(*flags):
        command = ["train", "--config", str(settings), *flags]
        return _read_settings(create_parser().parse_args(command))

    assert read().captions == tuple(captions)
    again = read("--images", str(tmp_path / "new"))
    assert (again.images, again.captions) == (new, ())
    new[1].with_suffix(".txt").write_text("in the snow")
    assert read("--images", str(tmp_path / "new")).captions == ("", "in the snow", "")

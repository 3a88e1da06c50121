"""Draw curves.png from the logs beside it: ``python assets/miniature/make_curves.py``.

Needs matplotlib, which the project itself does not: ``pip install matplotlib``.
"""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

FOLDER = Path(__file__).parent
STAGES = {
    "vae": "psnr",
    "image": "loss",
    "motion": "loss",
    "base": "video_loss",
    "base-again": "video_loss",
    "base-whole": "video_loss",
    "base-still": "video_loss",
    "base-any-size": "video_loss",
    "base-grown": "video_loss",
    "vae-decoder": "psnr",
    "interpolation-plain": "loss",
    "interpolation-plain-again": "loss",
    "interpolation-residual": "loss",
    "interpolation": "loss",
    "interpolation-again": "loss",
    "vae-large": "psnr",
    "vae-large-whole": "psnr",
    "vsr-image": "loss",
    "vsr-image-whole": "loss",
    "vsr": "loss",
    "vsr-whole": "loss",
    "long-video": "video_loss",
    "long-video-again": "video_loss",
    "long-video-noisy": "video_loss",
    "long-video-noisy-again": "video_loss",
    "long-video-remade": "video_loss",
    "long-video-remade-again": "video_loss",
    "long-video-six": "video_loss",
    "long-video-large": "video_loss",
}


def main() -> None:
    """One panel a stage, each line of its log a faint dot, their running mean a line."""
    _, panels = plt.subplots(6, 5, figsize=(19, 18.6), tight_layout=True)
    panels = panels.flatten()
    for panel in panels[len(STAGES) :]:
        panel.remove()
    for panel, (stage, metric) in zip(panels, STAGES.items(), strict=False):
        lines = (FOLDER / "logs" / f"{stage}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        samples, values = [row["samples"] for row in rows], [row[metric] for row in rows]
        smooth = [sum(values[max(0, i - 4) : i + 1]) / min(i + 1, 5) for i in range(len(values))]
        panel.plot(samples, values, ".", alpha=0.3)
        panel.plot(samples, smooth)
        panel.set(title=f"stage {stage}: {metric}", xlabel="samples seen")
    plt.savefig(FOLDER / "curves.png", dpi=80)


if __name__ == "__main__":
    main()

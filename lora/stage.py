"""Stage ``lora``: a model learns one thing more from a few pictures, in space alone."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false
# (the libraries say little of their types)

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from einops import rearrange
from peft import LoraConfig
from torch import Tensor, nn

from lavie.data.sources import derive_generator
from lavie.errors import Cancelled
from lavie.media import write_video
from lavie.pipelines.text_to_video import TextToVideoPipeline
from lavie.training.checkpoint import load_trainable_weights, trainable_weights
from lavie.training.model import LatentVideoModel
from lavie.training.stages.denoising import DenoisingStage
from lavie.types import CancelToken, Frames
from lora.embedding import LearnedWords, learn_word
from lora.examples import Examples, StillBatch, draw_batches
from lora.formats import write_lora
from lora.header import RESULT
from lora.inject import spatial_modules
from lora.keys import Network
from lora.metadata import thumbnail_of
from lora.settings import PersonalRun
from lora.weights import Lora, LoraLayer, adaptable_layers, nearest_layer

MayShow = Callable[[Frames], bool]
"""Whether anybody may see a video."""

_ADAPTER = "personal"
_TEXT_PARTS = ("q_proj", "k_proj", "v_proj", "out_proj")
_HELD_OUT_LEVELS = (100, 300, 500, 700, 850, 950)


class LoraStage(DenoisingStage):
    """Denoise pictures of the new thing, and what the model made before, by layers in space alone.

    As a still, each is a row of its own that bypasses everything temporal. A model of the world
    can also be shown a thing in clips, moving as everything moves there: so layers in space learn
    what those over time, which never change, will ask of them.

    Args:
        config: Settings of the run.
        pipeline: The model; it gets the adapters, and makes the samples.
        examples: What to learn from.
        captions: All that is said of each picture.
        prior_captions: What is said of each of the model's own.
        class_word: What the new thing is; may be empty.
        sample_prompts: What the sample videos show.
        metadata: For the file.
        cancel: Looked at in every step of a sample video, which is then left out.
        may_show: Whether a sample video is kept; None: each is.

    Source: LaVie (arXiv:2309.15103), section 5.6, for stills; the prior as in DreamBooth
    (arXiv:2208.12242), held to what the model said before as in learning without forgetting
    (arXiv:1606.09282). The clips, and layers that learn as a whole, are ours.
    """

    name = "lora"
    command = "python -m lora train --config {folder}/personal.yaml"
    previews = "samples"
    config: PersonalRun

    def __init__(
        self,
        config: PersonalRun,
        pipeline: TextToVideoPipeline,
        examples: Examples,
        captions: Sequence[Sequence[str]],
        prior_captions: Sequence[str],
        class_word: str,
        sample_prompts: Sequence[str],
        metadata: dict[str, str],
        cancel: CancelToken | None = None,
        may_show: MayShow | None = None,
    ) -> None:
        parts = pipeline.vae, pipeline.text_encoder, pipeline.tokenizer, pipeline.unet
        super().__init__(config, LatentVideoModel(*parts))
        self.personal = pipeline
        self.metadata = metadata
        self._cancel = cancel
        self._may_show = may_show
        self.sample_prompts = tuple(sample_prompts)
        num_learnt = len(examples.latents) - config.held_out
        self._held_out = examples.latents[num_learnt:, 0]
        self._held_out_captions = [
            examples.caption(config, captions[picture][0], picture, 0)
            for picture in range(num_learnt, len(captions))
        ]
        self._learnt = Examples(
            examples.latents[:num_learnt],
            examples.focus[:num_learnt],
            examples.prior,
            examples.places[:num_learnt],
            examples.motions[:num_learnt],
        )
        self._captions = captions[:num_learnt]
        self._prior_captions = prior_captions
        self._texts: dict[str, Tensor] = {}
        self._best = _Best(config.output / "best.pt")
        self.model.requires_grad_(False)
        self.words: LearnedWords | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self._add_adapters()
        if config.train_embedding:
            self.words = learn_word(
                config.token,
                class_word,
                config.kind == "style",
                pipeline.tokenizer,
                pipeline.text_encoder,
                config.seed,
            )

    def _add_adapters(self) -> None:
        unet, config = self.model.unet, self.config
        names = spatial_modules(unet, config.parts, config.also_temporal)
        self._adapted: dict[Network, list[str]] = {"unet": names, "text_encoder": []}
        if config.train_text_encoder:
            layers = adaptable_layers(self.model.text_encoder)
            self._adapted["text_encoder"] = [n for n in layers if n.endswith(_TEXT_PARTS)]
        if config.whole:
            for module in self._adapted_modules().values():
                module.weight.data = module.weight.data.float()
                module.weight.requires_grad_(True)
            self._before = {
                key: _copy(module.weight) for key, module in self._adapted_modules().items()
            }
            return
        for network, modules in self._adapted.items():
            if modules:
                adaptable: Any = getattr(self.model, network)
                adaptable.add_adapter(
                    LoraConfig(
                        r=config.rank,
                        lora_alpha=cast(int, config.alpha),
                        lora_dropout=config.dropout,
                        target_modules=modules,
                    ),
                    _ADAPTER,
                )
        for name, parameter in self.model.named_parameters():
            learns = f".{_ADAPTER}." in name
            parameter.requires_grad_(learns)
            if learns:
                parameter.data = parameter.data.float()  # small steps need all digits

    def _adapted_modules(self) -> dict[tuple[Network, str], Any]:
        """The layers that learn."""
        return {
            (network, name): getattr(self.model, network).get_submodule(name)
            for network, names in self._adapted.items()
            for name in names
        }

    def parameter_groups(self, parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
        """The layers, and the trigger word at a pace of its own."""
        vectors = None if self.words is None else self.words.vectors
        groups: list[dict[str, Any]] = [{"params": [p for p in parameters if p is not vectors]}]
        if vectors is not None:
            rate = self.config.embedding_learning_rate
            groups.append({"params": [vectors], "lr": rate, "weight_decay": 0.0})
        return groups

    def batches(self, start: int, rank: int, world_size: int) -> Iterator[StillBatch]:
        """Stills or clips, each a row of its own."""
        return draw_batches(
            self.config, self._learnt, self._captions, self._prior_captions, start, rank
        )

    def forward(self, batch: StillBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """The loss of the new thing, plus the prior's times its weight.

        What the model makes of its own is held to what the model said of the same noise before,
        which says more than the noise itself.
        """
        num_own = len(batch.captions) - batch.num_prior
        is_dropped = torch.rand(batch.num_prior, generator=generator) < self.config.caption_dropout
        texts = list(batch.captions[:num_own])
        for caption, drop in zip(batch.captions[num_own:], is_dropped.tolist(), strict=True):
            texts.append("" if drop else caption)
        noisy, target, timesteps = self.objective.corrupt(
            batch.latents.to(self.model.unet.device), generator
        )
        if batch.num_prior:
            prior = slice(num_own, None)
            with torch.no_grad(), self._untaught():
                before = self._predict(noisy[prior], timesteps[prior], self._embed(texts[prior]))
            target = torch.cat([target[:num_own], before.to(target)])
        prediction = self._predict(noisy, timesteps, self._embed(texts))
        weight = batch.weight.to(noisy.device)
        losses = self.objective.loss(prediction, target, timesteps, weight).mean(dim=1)
        own_loss = losses[:num_own].mean()
        if not batch.num_prior:
            return {"loss": own_loss, "own_loss": own_loss.detach()}
        prior_loss = losses[num_own:].mean()
        return {
            "loss": own_loss + self.config.prior_weight * prior_loss,
            "own_loss": own_loss.detach(),
            "prior_loss": prior_loss.detach(),
        }

    def evaluate(self, step: int) -> dict[str, float]:
        """The loss of the picture kept apart, at fixed noise levels; the best state is kept."""
        count = len(_HELD_OUT_LEVELS)
        device = self.model.unet.device
        with torch.no_grad():
            latents = self._held_out[:1].repeat(count, 1, 1, 1, 1)
            generator = derive_generator(self.config.seed, "held out")
            noisy, target, timesteps = self.objective.corrupt(
                latents.to(device), generator, timesteps=torch.tensor(_HELD_OUT_LEVELS)
            )
            text = self._embed(self._held_out_captions[:1] * count)
            prediction = self._predict(noisy, timesteps, text)
            loss = float((prediction.float() - target).square().mean())
        self._best.offer(step, loss, trainable_weights(self))
        return {"held_out": loss}

    def is_done(self, step: int) -> bool:
        """Whether the picture kept apart has not been predicted better for a while."""
        best = self._best.step if self.config.held_out else None
        return best is not None and step - best >= self.config.patience

    def preview(self, folder: Path, step: int) -> list[Frames]:
        """Sample videos: the first is ``step-00000050.mp4``, the second ``step-00000050-2.mp4``."""
        folder.mkdir(parents=True, exist_ok=True)
        count = min(self.config.num_samples, len(self.sample_prompts))
        with suppress(Cancelled):  # the loop looks for itself, and stops after a whole step
            samples = [self._sample(folder, step, number) for number in range(count)]
            return [frames for frames in samples if frames is not None]
        return []

    def _sample(self, folder: Path, step: int, number: int) -> Frames | None:
        video = self.config.video
        output: Any = self.personal(
            self.sample_prompts[number],
            height=video.height,
            width=video.width,
            generator=derive_generator(self.config.seed, "sample", number),
            cancel=self._cancel,
        )
        frames: Frames = output.frames[0]
        if self._may_show is not None and not self._may_show(frames):
            return None
        behind = f"-{number + 1}" if number else ""
        write_video(folder / f"step-{step:08d}{behind}.mp4", frames, video.fps)
        return frames

    def export(self, folder: Path) -> None:
        """Write the LoRA: the best state if a picture was kept apart, else the average.

        In half precision, as such files usually are; a run goes on from its checkpoints.
        """
        if self.config.held_out and (best := self._best.weights()) is not None:
            with torch.no_grad():
                load_trainable_weights(self, best)
        folder.mkdir(parents=True, exist_ok=True)
        lora = self.lora().to(torch.float16)
        samples = sorted((self.config.output / self.previews).glob("step-????????.mp4"))
        metadata = {**lora.metadata, **(thumbnail_of(samples[-1]) if samples else {})}
        write_lora(replace(lora, metadata=metadata), folder / RESULT)

    def lora(self) -> Lora:
        """What has been learnt so far."""
        layers: dict[Network, dict[str, LoraLayer]] = {"unet": {}, "text_encoder": {}}
        for (network, name), module in self._adapted_modules().items():
            layers[network][name] = (
                nearest_layer(_copy(module.weight) - self._before[network, name], self.config.rank)
                if self.config.whole
                else LoraLayer(
                    _copy(module.lora_A[_ADAPTER].weight),
                    _copy(module.lora_B[_ADAPTER].weight),
                    self.config.alpha,
                )
            )
        embeddings = {} if self.words is None else {self.config.token: _copy(self.words.vectors)}
        return Lora(layers, embeddings, self.metadata)

    def _predict(self, noisy: Tensor, timesteps: Tensor, text: Tensor) -> Tensor:
        """Each still alone; a video of one frame where layers over time learn too; and clips."""
        is_video = bool(self.config.motions) or self.config.also_temporal
        num_images = 0 if is_video else 1
        return self.model.unet(noisy, timesteps, text, num_images=num_images).sample

    @contextmanager
    def _untaught(self) -> Generator[None]:
        """The model as it was before, in a block without gradients."""
        with ExitStack() as back:
            if self.config.whole:
                torch.clear_autocast_cache()  # it keeps what it made of other numbers
                back.callback(torch.clear_autocast_cache)
                for key, module in self._adapted_modules().items():
                    back.callback(setattr, module.weight, "data", module.weight.data)
                    module.weight.data = self._before[key].to(module.weight.device)
            else:
                for network in (name for name, modules in self._adapted.items() if modules):
                    adapted: Any = getattr(self.model, network)
                    back.callback(adapted.enable_adapters)
                    adapted.disable_adapters()
            yield

    def _embed(self, texts: Sequence[str]) -> Tensor:
        """Embedded texts ``(B, 1, L, D)``; each is embedded once where nothing of it learns."""
        if self.words is not None or self.config.train_text_encoder:
            unique = list(dict.fromkeys(texts))
            embedded = self._encode(unique)
            return embedded[[unique.index(text) for text in texts]][:, None]
        missing = [text for text in dict.fromkeys(texts) if text not in self._texts]
        if missing:
            with torch.no_grad():
                self._texts |= zip(missing, self._encode(missing), strict=True)
        return torch.stack([self._texts[text] for text in texts])[:, None]

    def _encode(self, texts: list[str]) -> Tensor:
        kept = torch.zeros(len(texts), 1, dtype=torch.bool)
        embedded = self.model.encode_texts([[text] for text in texts], kept)
        return rearrange(embedded, "B 1 L D -> B L D")


class _Best:
    """The state that has predicted the picture kept apart best, on disk.

    Args:
        path: Its file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.step: int | None = None
        self._loss = float("inf")
        if path.exists():
            found = torch.load(path, weights_only=True, map_location="cpu")
            self.step, self._loss = int(found["step"]), float(found["loss"])

    def offer(self, step: int, loss: float, weights: dict[str, Tensor]) -> None:
        """Keep a state if it is better than all before."""
        if not loss < self._loss:
            return
        self.step, self._loss = step, loss
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        torch.save({"step": step, "loss": loss, "weights": weights}, temporary)
        temporary.replace(self.path)

    def weights(self) -> dict[str, Tensor] | None:
        """The state; None if there is none."""
        if self.step is None:
            return None
        found: dict[str, Any] = torch.load(self.path, weights_only=True, map_location="cpu")
        return found["weights"]


def _copy(weight: Tensor) -> Tensor:
    return weight.detach().to("cpu", torch.float32).clone()

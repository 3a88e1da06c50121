"""What LaVie's networks owe to diffusers: saving, loading, adapters, offloading, attention."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from diffusers.configuration_utils import ConfigMixin
from diffusers.loaders import PeftAdapterMixin
from diffusers.models.attention import AttentionMixin
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils import is_xformers_available

from lavie.errors import ConfigError, MissingDependencyError
from lavie.models.architecture import take_fixed_values


class VideoModel(ModelMixin, ConfigMixin, PeftAdapterMixin, AttentionMixin):
    """A network that diffusers can save, load, shard, offload, compile and adapt.

    Subclasses list in ``fixed_values`` the keys of published configs that they never vary, and in
    ``temporal_names`` the parts of parameter names that only videos use.
    """

    fixed_values: ClassVar[Mapping[str, Any]] = {}
    temporal_names: ClassVar[tuple[str, ...]] = ()

    _supports_gradient_checkpointing = True
    _no_split_modules = ["ResnetBlock", "SpatioTemporalTransformer"]  # noqa: RUF012 - their form
    _repeated_blocks = ["SpatioTemporalBlock"]  # noqa: RUF012
    _skip_layerwise_casting_patterns = ["norm", "embedding", "conv_in", "conv_out"]  # noqa: RUF012

    @classmethod
    def from_config(  # pyright: ignore[reportIncompatibleMethodOverride] - config is not optional
        cls, config: Mapping[str, Any], return_unused_kwargs: bool = False, **kwargs
    ) -> Any:  # noqa: ANN401 - a model, or a model and a dict, as in diffusers
        """Build the network a config describes.

        Args:
            config: A published LaVie config or one that ``save_config`` has written.
            return_unused_kwargs: Return ``(model, unused)``, as diffusers does.
            **kwargs: Values that replace those of the config.

        Returns:
            The model, with random weights.

        Raises:
            ConfigError: A key is unknown or a value is not supported.
        """
        expected = cls._get_init_keys(cls) - {"self"}
        config = take_fixed_values(config, expected, cls.fixed_values, cls.__name__)
        kwargs = take_fixed_values(kwargs, expected | {"dtype"}, cls.fixed_values, cls.__name__)
        return super().from_config(config, return_unused_kwargs, **kwargs)

    @classmethod
    def is_temporal(cls, name: str) -> bool:
        """Whether a parameter of this name is used by videos alone, never by images."""
        return any(part in name for part in cls.temporal_names)

    def set_attention_backend(self, backend: str) -> None:
        """Choose what computes spatial and text attention.

        Args:
            backend: A name that diffusers knows: "native" (PyTorch, the default), "xformers", ...

        Raises:
            ConfigError: The name is unknown, or the backend cannot run on this model's device.
            MissingDependencyError: The package of the backend is not installed.
        """
        if backend == "xformers" and not is_xformers_available():
            raise MissingDependencyError(
                "xformers is not installed. Use pip install -r requirements-gpu.txt on a machine "
                "with an NVIDIA GPU, or keep the native attention, which is as exact."
            )
        if backend == "xformers" and self.device.type != "cuda":
            raise ConfigError(
                f"xformers needs an NVIDIA GPU, but the model is on {self.device}. "
                'Move it with .to("cuda") first, or keep the native attention.'
            )
        try:
            super().set_attention_backend(backend)
        except ValueError as error:
            raise ConfigError(f"Attention backend {backend!r} cannot be used: {error}") from error
        except RuntimeError as error:
            raise MissingDependencyError(str(error)) from error

    def set_use_memory_efficient_attention_xformers(
        self, valid: bool, attention_op: Callable | None = None
    ) -> None:
        """What pipelines call to switch xformers on and off; see `set_attention_backend`.

        Args:
            valid: True for xformers, False for PyTorch's attention.
            attention_op: Only None: the backend picks its operator.

        Raises:
            ConfigError: An operator was given, or xformers cannot run on this device.
            MissingDependencyError: xformers is not installed.
        """
        if attention_op is not None:
            raise ConfigError("An xformers attention_op cannot be chosen; leave it out.")
        self.set_attention_backend("xformers" if valid else "native")

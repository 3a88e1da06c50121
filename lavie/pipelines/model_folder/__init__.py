"""Model folders: where a name leads, whether what is there can be loaded, and how to write them.

The root of a model folder is the base stage's, made of what diffusers' ``save_pretrained`` writes.
A later stage is such a folder in its turn, inside the base's or on its own::

    model_index.json  unet/  vae/  text_encoder/  tokenizer/  scheduler/
    long_video/         model_index.json  unet/  scheduler/
    interpolation/      model_index.json  unet/  scheduler/
    super_resolution/   model_index.json  unet/  scheduler/  low_res_scheduler/  ...

What a stage inside has in common with the base is left out of its sub-folder.
"""

from lavie.pipelines.model_folder.components import check_weights, load_component
from lavie.pipelines.model_folder.finding import (
    MINIATURE,
    MINIATURE_FOLDER,
    download_model_folder,
    find_model_folder,
    get_model_folder,
    is_hub_id,
)
from lavie.pipelines.model_folder.layout import (
    LATER_STAGES,
    SHARED_PARTS,
    STAGE_PIPELINES,
    find_borrowed_parts,
    find_part,
    find_stage_folder,
    read_model_index,
    stages_in,
)
from lavie.pipelines.model_folder.saving import forget_paths, save_stage

__all__ = [
    "LATER_STAGES",
    "MINIATURE",
    "MINIATURE_FOLDER",
    "SHARED_PARTS",
    "STAGE_PIPELINES",
    "check_weights",
    "download_model_folder",
    "find_borrowed_parts",
    "find_model_folder",
    "find_part",
    "find_stage_folder",
    "forget_paths",
    "get_model_folder",
    "is_hub_id",
    "load_component",
    "read_model_index",
    "save_stage",
    "stages_in",
]

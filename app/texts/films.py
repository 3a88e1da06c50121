"""All words that the page says about long videos, in plain language."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from app.texts import form
from app.texts.shared import TRY_AGAIN, duration

TAB = "Long video"
STORY_LABEL = "Your story"
STORY_INFO = "One line after the other: what is to be seen, and for how many seconds."
LINE_LABEL = "Line {number}: what happens"
SECONDS_LABEL = "Line {number}: seconds"
SECONDS_UNIT = "s"
LINE_PLACEHOLDER = "a panda moving left over the ocean"
ADD_LINE = "Add a line"
REMOVE_LINE = "Remove line {number}"
MOVE_UP = "Move line {number} up"
MOVE_DOWN = "Move line {number} down"
EXAMPLES_LABEL = "Try one of these stories"
STORY_TEXT_LABEL = "Your story"
OPEN_STORIES = (
    (
        ("a sailing boat on a calm sea, oil painting", 2),
        ("a sailing boat in a storm, oil painting", 2),
        ("a sailing boat on a calm sea at sunset, oil painting", 2),
    ),
    (
        ("a teddy bear walking through a forest in summer", 3),
        ("a teddy bear walking through a forest in the snow", 3),
    ),
)

BEGIN_LABEL = "Begin with"
BEGIN_NAMES = {"nothing": "The story alone", "picture": "A picture", "video": "A video"}
PICTURE_LABEL = "Picture to begin with"
VIDEO_LABEL = "Video to go on from"
END_LABEL = "End with a picture"
END_INFO = "The last line ends with it, in a window made whole, so it may last a little longer."
END_PICTURE_LABEL = "Picture to end with"
_USE_ITS_MODEL = "Use that one to go on with it or to make a part of it again, or make a new film."
BEGUN_WITH_OTHER_MODEL = f"This film was begun with another model than this. {_USE_ITS_MODEL}"
CUT_INFO = "What is in the middle is used, in the shape and size of the model, without its sound."
OWN_WORLD_INFO = "This small model goes on from pictures of its own world; others vanish at once."

MAKE = "Make the film"
STOP = "Stop"
EMPTY_SCREEN = "Your film will appear here and grow part by part."
FILM_LABEL = "The film so far"
PLAY = "Play"
PAUSE = "Pause"
PLACE_IN_FILM = "Place in the film"
TIMELINE_LABEL = "Which line made which part"
GIVEN_NAME = "Your video"
REDO = "Redo from here"
REDO_INFO = (
    "Keeps what is before this part and makes the rest again with a new seed, of the lines that "
    "your story has now from here on."
)
REDO_WHOLE_INFO = (
    "Makes the whole film again with a new seed, of the lines that your story has now."
)
GO_ON_INFO = (
    "It is made of the story as it was when this film began. To use lines that you changed since, "
    "make a new film or redo a part."
)
SEED_LABEL = "Seed"
SEED_INFO = "The same seed makes the same film. Leave empty for a new one."
OVERLAP_LABEL = "Overlap"
OVERLAP_INFO = "Frames that each part sees of the one before. More keep the motion, but take room."
NEGATIVE_INFO = "Things the film should not show. May stay empty."
SMOOTH_INFO = "Motion flows: three new frames between every two. After the film is done."
UPSCALE_INFO = "A larger picture with finer edges. After the film is done."
SMOOTHING_STEPS_INFO = "Steps of smoothing, here and for “Smooth it”."
UPSCALING_STEPS_INFO = "Steps of upscaling, here and for “Upscale it”."
DROP_LABEL = "Drop a film or its recipe here to get its story back"
STOPPED = "Stopped. The film so far is kept."
NOTHING_KEPT = f"Stopped before the first part was done. “{TRY_AGAIN}” begins it anew."
MAKE_LONGER = "Make it longer"
GOES_ON_FROM_FRAMES = (
    "This model goes on from the last frames: each part is given the end of the one before."
)
AT_ONCE = (
    "This model has no network for going on from frames: a film is made all at once (FreeNoise)."
)
NO_NETWORK = (
    "This model has no network for going on from frames, so a film cannot begin or end with a "
    "picture or a video, and no part of it can be made again alone. Use a model that has one."
)
NO_SUCH_FILM = "There is no such film any more. Reload the page."
NO_SUCH_PART = "There is no such part of the film. Reload the page."
NOTHING_LEFT = "The story has no lines from this part on. Write at least one."
BEGINNING_KEPT = (
    "Earlier lines of your story are not those of this film: the parts before this one stay as "
    "they were."
)
NO_PICTURE = "There is no picture. Give one, or begin with something else."
NO_VIDEO = "There is no video. Give one, or begin with something else."
NO_END_PICTURE = "There is no picture to end with. Give one, or switch that off."
BROKEN = {
    "picture": "That picture cannot be read: it is broken, or not what its name says. Give a PNG, "
    "JPEG or WebP.",
    "video": "That video cannot be read: it is broken, or not what its name says. Give an MP4, MKV "
    "or WebM that plays elsewhere.",
}
STORY_UNREADABLE = "That story cannot be read. Give one line for each part: prompt | seconds."
FILE_IS_NO_START = (
    "A file called like that is no picture and no video. Give a PNG, JPEG, WebP or MP4."
)
NOT_A_FILM = "That video has no exact frames any more. Choose another one."
NO_FILM_IN_IT = "That is no film. Drop it on the first tab to get its settings back."
NOT_ON_THE_FORM = "The files that it began or ended with are not in the recipe. Give them again."


def no_such_settings(known: Iterable[str]) -> str:
    """What a program may say of a film besides."""
    return f"The settings are not what a film takes. Give some of {', '.join(known)} by name."


def line_is_unknown(number: int) -> str:
    """Say which line the model understands nothing of."""
    way_out = f"Try one of the example stories, or {form.FULL_MODEL}"
    return f"Line {number} of the story: {form.KNOWS_NONE} {way_out}"


def no_room_before_end(overlap: int, most: int) -> str:
    """Say that the picture at the end takes a frame of the last window, too."""
    return (
        f"Overlap {overlap} leaves a part no frame of its own before the picture at the end. Use "
        f"at most {most}."
    )


def line_is_over(prompt: str, seconds: float) -> str:
    """Say that a line that was changed would not be seen."""
    return (
        f"“{prompt:.40}” would not be seen: the parts that are kept show that line for {seconds:g} "
        "seconds already. Give it more seconds, or redo an earlier part."
    )


def unknown_words(words: Mapping[int, Sequence[str]]) -> str:
    """Say once for a whole story which words the model was never taught.

    Args:
        words: Of each line that has such words, by its number.
    """
    distinct = list(dict.fromkeys(word for line in words.values() for word in line))
    return f"{_lines(list(words))}: {form.unknown_words(distinct, most=12)}"


def unread_words(words: Mapping[int, Sequence[str]]) -> str:
    """Say once for a whole story which lines are longer than what the model reads.

    Args:
        words: The end of each such line, by its number.
    """
    if len(words) == 1:
        return f"{_lines(list(words))}: {form.unread_words(next(iter(words.values())))}"
    return f"{_lines(list(words))} are too long for this model. It will not read their ends."


def _lines(numbers: Sequence[int]) -> str:
    """Lines by their numbers, three or more in a row as from one to another."""
    rows = groupby(enumerate(numbers), key=lambda place: place[1] - place[0])
    told: list[str] = []
    for _, row in rows:
        run = [str(number) for _, number in row]
        told += run if len(run) < 3 else [f"{run[0]} to {run[-1]}"]
    listed = " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))
    return f"Line{'' if len(numbers) == 1 else 's'} {listed}"


def cost(num_parts: int, seconds: float, film_seconds: float) -> str:
    """What the film will take."""
    parts = f"{num_parts} part{'' if num_parts == 1 else 's'}"
    return (
        f"{film_seconds:.3g} seconds of film in {parts}: about {duration(seconds)} on this "
        "computer."
    )


def story_in_short(prompt: str, num_lines: int) -> str:
    """A story by its first line."""
    return f"{prompt:.40} … {num_lines} lines"


def length(num_parts: int, film_seconds: float) -> str:
    """How long the film will be, where nobody knows what it takes."""
    return f"{film_seconds:.3g} seconds of film in {num_parts} part{'' if num_parts == 1 else 's'}."


def part_name(number: int, total: int, prompt: str, begin: float, end: float) -> str:
    """A part in words."""
    return f"Part {number} of {total}, {clock(begin)} to {clock(end)}: {prompt}"


def film_so_far(num_done: int, total: int) -> str:
    """How much there is."""
    parts, verb = "part" if total == 1 else "parts", "is" if num_done == 1 else "are"
    return f"{num_done} of {total} {parts} {verb} done."


def clock(seconds: float) -> str:
    """A place in a film."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def goes_on_from(prompt: str) -> str:
    """What the film begins with."""
    return f"Goes on from: “{prompt:.80}”"


def too_long_at_once(seconds: float) -> str:
    """Memory grows with a film that is made at once."""
    return f"This model makes a film at once, of at most {seconds:g} seconds. Make it shorter."


def made_with_other_model(name: str) -> str:
    """A film is gone on with by the model it was asked of."""
    return f"This film was made with the model “{name:.60}”. {_USE_ITS_MODEL}"

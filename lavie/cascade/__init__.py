"""The stages of LaVie behind one door: a sentence in, a finished video and its recipe out."""

from lavie.cascade.cascade import Cascade as Cascade
from lavie.cascade.film import Film as Film
from lavie.cascade.generation import Generation as Generation
from lavie.runtime.devices import choose_device as choose_device
from lavie.runtime.devices import choose_dtype as choose_dtype

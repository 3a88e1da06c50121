"""How well a thing is learnt from a few pictures: pictures in, judged videos out."""

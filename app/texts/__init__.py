"""All words that the page says to its users, in plain language.

They are one vocabulary, written ``texts.GENERATE``; the modules sort it by who says it. What is
said of films has a vocabulary of its own, `app.texts.films`.
"""

from app.texts.form import *
from app.texts.history import *
from app.texts.models import *
from app.texts.page import *
from app.texts.queue import *
from app.texts.requests import *
from app.texts.result import *
from app.texts.settings import *
from app.texts.shared import *

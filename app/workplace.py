"""What is known of the workers of a studio, and what all of them are told."""

from app import texts
from app.jobs.dispatcher import Dispatcher
from app.jobs.wire import Setup
from app.policy import Policy
from lavie.errors import InputError
from lavie.runtime.profiles import ProfileName, check_profile


class Workplace:
    """Has the workers wait or work otherwise, and asks how they are.

    Args:
        dispatcher: Gives them their work.
        policy: Whether it is one person's, who alone may do that.
    """

    def __init__(self, dispatcher: Dispatcher, policy: Policy) -> None:
        self.policy = policy
        self._dispatcher = dispatcher

    @property
    def is_paused(self) -> bool:
        """Whether no further job is begun."""
        return self._dispatcher.is_paused

    def pause(self, is_paused: bool) -> None:
        """Finish what runs, then wait until told to go on.

        Raises:
            InputError: The server is public, where nobody may do that to all others.
        """
        self._check_is_private()
        self._dispatcher.pause(is_paused)

    @property
    def profile(self) -> ProfileName | None:
        """What is done about memory in jobs from now on; None: what the workers were told."""
        return self._dispatcher.profile

    def use_profile(self, name: str) -> None:
        """Have jobs done in another memory profile from now on; the running one stays as it is.

        Args:
            name: Of a profile, or ``"auto"``: the one that the free memory is enough for.

        Raises:
            InputError: There is none of that name, or the server is public.
        """
        self._check_is_private()
        self._dispatcher.use_profile(check_profile(name))

    @property
    def has_workers(self) -> bool:
        """Whether this server has workers of its own."""
        return self._dispatcher.has_workers

    def setups(self) -> list[Setup]:
        """How the workers of this server have their model, as far as it is loaded."""
        return self._dispatcher.setups()

    @property
    def model_error(self) -> str | None:
        """Why the model cannot be loaded, if that is so."""
        return self._dispatcher.model_error()

    @property
    def is_model_loading(self) -> bool:
        """Whether every worker of this server is still at it."""
        return self._dispatcher.is_model_loading()

    def _check_is_private(self) -> None:
        if self.policy.is_public:
            raise InputError(texts.NOT_IN_PUBLIC)

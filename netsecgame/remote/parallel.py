"""An environment of several agents on a server as a `pettingzoo.ParallelEnv`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsecgame.errors import InvalidActionError, missing_extra

try:
    from pettingzoo import AECEnv, ParallelEnv
    from pettingzoo.utils.conversions import parallel_to_aec
except ImportError as error:
    raise missing_extra(error, "env") from error

from netsecgame.remote import described
from netsecgame.remote.client_arguments import read_options
from netsecgame.remote.on_server import OnServer
from netsecgame.remote.remote_world import Wish
from netsecgame.remote.views import AgentView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gymnasium import Space

    from netsecgame.remote.remote_world import RemoteWorld
    from netsecgame.remote.views import Outcome

    ByAgent = dict[str, Any]


class RemoteParallelEnv(OnServer, ParallelEnv[str, Any, Any]):  # type: ignore[misc]  # untyped
    """Plays all agents of an environment on a server.

    An exception in `step` ends the episode; `reset` begins another one, in a new world if the
    connection was lost. A pickled environment connects anew when it is reset.

    Attributes:
        url: Host of the server.
        port: Its port.
        remote_args: What the server was told.
        client_credentials_paths: None is plaintext.
        possible_agents: All there may be.
        agents: Those that play on.
    """

    def __init__(
        self,
        url: str,
        port: int,
        remote_args: Mapping[str, Any] | None = None,
        client_credentials_paths: Sequence[str | Path | None] | None = None,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """Connect, and have the server make an environment.

        Args:
            url: Host of the server, a name or an address.
            port: Its port.
            remote_args: What the server is to make; see `RemoteArgs`.
            client_credentials_paths: PEM files: CA, client certificate or None, its key or None.
                None is plaintext.
            render_mode: What `render` does: None, ``rgb_array`` or ``human``.
            **options: Those of `ClientOptions`; others are ignored, with a warning.

        Raises:
            ValueError: If credentials are neither None nor three paths.
            FileNotFoundError: If there is no such file.
            UnsupportedByServerError: If the server is not one of ours, or its environment has one
                agent only.
            RemoteError: If there is no connection, or the server refuses.
        """
        self.agents: list[str] = []
        read = read_options((), options)
        asked = dict(remote_args or {})
        wish = Wish("parallel", asked, is_extended=read.extended is not False)
        self._prepare(url, port, client_credentials_paths, wish, read, render_mode)
        self._views: dict[str, AgentView] = {}
        self.action_spaces: dict[str, Space[Any]] = {}
        self.observation_spaces: dict[str, Space[Any]] = {}
        self._look_at(self._keeper.make())

    def observation_space(self, agent: str) -> Space[Any]:
        """What an agent observes."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """What an agent does."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ByAgent, ByAgent]:
        """Begin an episode, connecting anew if need be; observations and infos.

        Args:
            seed: For the environment, which then does what it would do here.
            options: For the environment.

        Raises:
            RemoteError: If there is no connection, the environment raised, or takes too long.
        """
        outcomes = self._keeper.begin(self._read, seed, options)
        self.agents = [agent for agent in self.possible_agents if agent in outcomes]
        return _column(outcomes, 0), _column(outcomes, 4)

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[ByAgent, dict[str, float], dict[str, bool], dict[str, bool], ByAgent]:
        """Take one step with all agents.

        Args:
            actions: By agent.

        Returns:
            By agent: observations, rewards, terminated, truncated, infos.

        Raises:
            ResetNeeded: If no episode is running; the server is not asked then.
            InvalidActionError: If there is no such agent, or no such action.
            RemoteError: If there is no connection any more, the environment raised, or takes too
                long.
        """
        outcomes = self._keeper.step(actions, self._write, self._read)
        self.agents = [
            agent
            for agent in self.possible_agents
            if agent in outcomes and not (outcomes[agent][2] or outcomes[agent][3])
        ]
        observations, rewards, terminated, truncated, infos = (
            _column(outcomes, index) for index in range(5)
        )
        return observations, rewards, terminated, truncated, infos

    def render(self) -> Any:
        """The frame of now in the mode ``rgb_array``; ``human`` shows it.

        Raises:
            NotImplementedError: If there is no such mode.
            ImportError: If there is nothing to show it with.
            RemoteError: If there is no connection any more, or the environment raised.
        """
        return self._screen.render(self._fetch_frame)

    def close(self) -> None:
        """Leave the server; `reset` connects anew. Twice is fine."""
        self.agents = []
        self._leave()

    def aec(self) -> AECEnv[str, Any, Any]:
        """The same environment with one agent acting after another."""
        return parallel_to_aec(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_views": {}, "_viewed": None, "agents": []}

    def _write(self, actions: Mapping[str, Any]) -> bytes:
        tensors: dict[int, Any] = {}
        for agent, action in actions.items():
            view = self._views.get(agent)
            if view is None:
                known = ", ".join(self.possible_agents)
                raise InvalidActionError(f"agent {agent!r}: expected one of {known}")
            tensors.update(view.write(action))
        assert self._viewed is not None
        return self._viewed.step_request(tensors)

    def _read(self, answer: Any) -> dict[str, Outcome]:
        """By agent, of those that took part."""
        views = self._look_at(self._keeper.world)
        return {agent: view.read(answer) for agent, view in views.items() if view.is_in(answer)}

    def _look_at(self, world: RemoteWorld | None) -> dict[str, AgentView]:
        """The views of a world, which may be another one than before."""
        assert world is not None
        if self._viewed is world:
            return self._views
        told = world.description
        actions = described.spaces_of(told, "action_space")
        observations = described.spaces_of(told, "observation_space")
        self._views = {
            agent: AgentView(world, actions[agent], observations[agent], f"{agent}/")
            for agent in told.get("agents", ())
        }
        self._viewed = world
        self.possible_agents = list(self._views)
        self.action_spaces = {
            agent: described.keep_equal(self.action_spaces.get(agent), actions[agent])
            for agent in self._views
        }
        self.observation_spaces = {
            agent: described.keep_equal(self.observation_spaces.get(agent), observations[agent])
            for agent in self._views
        }
        self.metadata = described.metadata_of(told)
        return self._views


def _column(outcomes: dict[str, Outcome], index: int) -> dict[str, Any]:
    return {agent: outcome[index] for agent, outcome in outcomes.items()}

"""Plays a saved policy over TCP: what was learned in an environment, against anybody's agents."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from netsecgame.agents.command_line import make_parser, play
from netsecgame.agents.episodic_agent import EpisodicAgent
from netsecgame.envs import open_game
from netsecgame.envs.policies import PolicyPlayer, load_policy
from netsecgame.envs.remote_game import RemoteGame, find_game
from netsecgame.errors import NetSecGameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame import Action, GameState, Observation
    from netsecgame.envs import Game
    from netsecgame.envs.policies import SavedPolicy


class PolicyAgent(EpisodicAgent):
    """An agent that plays a saved policy.

    Args:
        policy: Who chooses.
        game: What the server plays; None looks among the shipped tasks.
        host: Of the server.
        port: Of the server.
        seed: Of the policy's random choices; None draws one.
    """

    def __init__(
        self,
        policy: SavedPolicy,
        game: Game | None,
        host: str,
        port: int,
        seed: int | None = None,
    ) -> None:
        self.plays_as = policy.role  # type: ignore[misc]  # others always play the same
        super().__init__(host, port, seed)
        self._policy = policy
        self._expected = game
        self._drawn_from: int | None = None
        self._remote: RemoteGame | None = None
        self._player: PolicyPlayer

    def request_game_reset(
        self,
        request_trajectory: bool = False,
        randomize_topology: bool = False,
        seed: int | None = None,
    ) -> Observation | None:
        """Ask for a new episode; the seed is what its addresses may be known by."""
        self._drawn_from = seed if randomize_topology else None
        return super().request_game_reset(request_trajectory, randomize_topology, seed)

    def begin_episode(self, start: Observation) -> None:
        """Find out what is played, and tell the policy.

        Raises:
            ConfigurationError: If that is not known, or the policy was made for something else.
        """
        if self._remote is None:
            game = find_game(start.info, self._expected)
            self._remote = RemoteGame(game, self._policy.role)
            self._player = PolicyPlayer(self._policy, game)
        state, goal = self._remote.begin(start, self._drawn_from)
        self._player.begin(state, goal, self.rng.getrandbits(32))

    def choose_action(self, state: GameState) -> Action:
        """What the policy plays."""
        assert self._remote is not None  # an episode has begun
        return self._remote.action(self._player.act(self._remote.known(state)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Play as the command line says; returns the exit status."""
    parser = make_parser("Plays a saved policy.")
    parser.add_argument("policy", help="its file, e.g. policy.npz")
    parser.add_argument(
        "--task", help="what the server plays: file or name (default: the shipped task it plays)"
    )
    options = parser.parse_args(arguments)
    try:
        policy = load_policy(options.policy)
        game = None if options.task is None else open_game(options.task)
        return play(lambda *server: PolicyAgent(policy, game, *server), options)
    except NetSecGameError as error:
        print(f"play_policy: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

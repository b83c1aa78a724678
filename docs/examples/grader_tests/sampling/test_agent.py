"""`QAgent`: the update of the table, and an agent that finds its way through a grid."""

import torch

from course_lib.authoring import StudentNotebook, expect, hidden_test, wrong

SIZE, LIMIT = 4, 60


class Grid:
    """A square grid: from the upper left corner to the lower right one. Each move costs 1, the goal brings 10."""

    state = 0

    def step(self, action):
        """The reward of a move, the new place, and whether it is the goal."""
        row, column = divmod(self.state, SIZE)
        down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[action]
        row, column = min(max(row + down, 0), SIZE - 1), min(max(column + right, 0), SIZE - 1)
        self.state = row * SIZE + column
        done = self.state == SIZE * SIZE - 1
        return 10.0 if done else -1.0, self.state, done


def epsilon_greedy(values, epsilon):
    """Stands in for the student's, so that a mistake there costs no points here."""
    return int(torch.randint(len(values), ())) if torch.rand(()) < epsilon else int(torch.as_tensor(values).argmax())


def play(nb, episodes):
    """The actions of each episode, and the table at the end. Stops at an action that is none."""
    nb.epsilon_greedy = epsilon_greedy
    agent, played = nb.QAgent(SIZE * SIZE, 4), []
    for _ in range(episodes):
        grid, actions, done = Grid(), [], False
        while not done and len(actions) < LIMIT:
            state, action = grid.state, agent.act(grid.state)
            if action not in range(4):
                return None, action
            reward, next_state, done = grid.step(action)
            agent.learn(state, action, reward, next_state, done)
            actions.append(int(action))
        played.append(actions)
    return played, agent.q


def learned(transitions, n_states=SIZE * SIZE, n_actions=4, lr=0.5, gamma=0.9, ends=True, replaces=False):
    """The table that Q-learning makes of these transitions, with its usual mistakes as options."""
    q = torch.zeros(n_states, n_actions)
    for state, action, reward, next_state, done in transitions:
        target = reward if done and ends else reward + gamma * q[next_state].max()
        q[state, action] += lr * (target - (0 if replaces else q[state, action]))
    return q


SUSPECTS = {
    "at the end of an episode, the target is the reward alone.": lambda *one: learned(*one, ends=False),
    "q moves towards the target: subtract q[state, action] from it.": lambda *one: learned(*one, replaces=True),
    "gamma is not used.": lambda transitions, *sizes: learned(transitions, *sizes[:3], gamma=1),
    "the table does not change.": lambda transitions, *sizes: learned([], *sizes),
}


@hidden_test(2, "learn moves the table towards the target.")
def test_update(student: StudentNotebook) -> None:
    transitions = [(0, 1, 2.0, 2, False), (2, 0, -1.0, 0, False), (0, 1, 4.0, 2, True), (1, 0, 1.0, 0, True)]
    sizes = 3, 2, 0.25, 0.8
    agent = student.instance("QAgent", *sizes)
    for transition in transitions:
        agent.call("learn", *transition)
    expect(agent.get("q"), learned, transitions, *sizes, suspects=SUSPECTS)


@hidden_test(2, "The agent learns to play: it finds a short way to the goal.")
def test_play(student: StudentNotebook) -> None:
    """The moves are played again here, in a grid that the student's code never sees."""
    played, q = student.run(play, 150)
    if played is None:
        raise wrong("act does not return an action.")
    transitions, lengths = [], [len(actions) for actions in played]
    for actions in played:
        grid = Grid()
        transitions += [(grid.state, action, *grid.step(action)) for action in actions]
    expect(q, learned, transitions, suspects=SUSPECTS)
    if sum(lengths[-50:]) > 50 * 15:  # the shortest way has 6 moves
        raise wrong("the ways do not get short: act must use the table most of the time, and explore now and then.")

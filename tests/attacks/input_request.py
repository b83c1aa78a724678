"""Asks for input from the grader's keyboard."""

answer = input("score? ")


def add(x):
    return 0.0

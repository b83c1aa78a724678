"""The strings of the class report, in French and English. ``course_lib.messages`` has the strings that are shared."""

from ..messages import Text

TEXTS = {
    "title": Text("Bilan de la classe", "Class report"),
    "made": Text("établi le", "created on"),
    "students": Text("rendus", "submissions"),
    "missing": Text("sans rendu", "nothing handed in"),
    "not_graded": Text("rendu, mais pas corrigé", "handed in, but not graded"),
    "mean": Text("moyenne", "mean"),
    "median": Text("médiane", "median"),
    "to_grade": Text("réponses à noter à la main", "answers to grade by hand"),
    "eye": Text("rendus à regarder", "submissions to review"),
    "marks": Text("Répartition des notes", "Distribution of marks"),
    "points": Text("points", "points"),
    "waits": Text("en attente", "waiting"),
    "waiting": Text(
        "Pas encore comptées, car elles attendent la note d'une personne :",
        "Not counted yet, because a person has not graded them:",
    ),
    "graded_mean": Text("moyenne de ce qui est noté", "mean of what is graded"),
    "blank": Text("sans réponse en code", "no code written"),
    "unreadable": Text("rendus illisibles", "unreadable"),
    "discrimination": Text("discrimination", "discrimination"),
    "about_discrimination": Text(
        "Discrimination : corrélation entre la réussite à ce test et les points de tout le reste, à partir de 50 "
        "rendus. Près de 0 ou négative (⚠), le test ne distingue peut-être pas les rendus forts des faibles : "
        "relisez-le.",
        "Discrimination: the correlation of passing this test with the points for everything else, from 50 "
        "submissions on. Near 0 or negative (⚠), the test may not tell strong submissions from weak ones: review it.",
    ),
    "teach": Text("À reprendre en cours", "What to teach again"),
    "students_count": Text("étudiants", "students"),
    "repairs": Text("Réparés avant la correction : rien à faire", "Repaired before grading: nothing to do"),
    "search": Text("chercher un nom ou un identifiant", "search for a name or an id"),
    "questions": Text("Réussite par question", "Success per grade cell"),
    "share": Text(
        "part moyenne des points ; entre parenthèses : combien de rendus sont déjà notés",
        "mean share of the points; in brackets: how many submissions are already graded",
    ),
    "tests": Text("Réussite par test caché", "Success per hidden test"),
    "question": Text("question", "question"),
    "test": Text("ce qui est vérifié", "what is checked"),
    "other": Text("autres verdicts", "other verdicts"),
    "failures": Text("Échecs les plus fréquents", "Most frequent failures"),
    "explanation": Text("ce que l'étudiant lit", "what the student reads"),
    "who": Text("qui", "who"),
    "accuracies": Text("Exactitudes mesurées et seuils", "Measured accuracies and thresholds"),
    "accuracy": Text("exactitude", "accuracy"),
    "threshold": Text("seuil", "threshold"),
    "early": Text(
        "Un modèle qui se comporte comme celui de la source reprend son entraînement. Un autre est entraîné, parfois "
        "seulement jusqu'au seuil ; s'il calcule autrement, un test peut le mesurer sur d'autres données, avec un "
        "autre seuil.",
        "A model that behaves like the source's reuses that model's training. Any other model is trained, sometimes "
        "only until it reaches the threshold. If it computes something different, a test may measure it on other data, "
        "with a different threshold.",
    ),
    "look": Text("À regarder", "To look at"),
    "nothing": Text("rien", "nothing"),
    "ungraded": Text("pas encore corrigé, ou par une autre version", "not graded yet, or graded by another version"),
    "unprotected": Text("corrigé sans bac à sable", "graded without a sandbox"),
    "all": Text("Tous les étudiants", "All students"),
    "sort": Text("un titre de colonne trie le tableau", "click a column title to sort the table"),
    "total": Text("total", "total"),
    "late": Text("retard", "late"),
    "grading": Text("La correction", "Grading"),
    "time": Text("temps de calcul", "computing time"),
    "each": Text("par rendu, médiane", "median per submission"),
    "longest": Text("le plus long", "longest"),
    "classic": Text(
        "vérifiés par leur propre code, dans le processus de l'étudiant",
        "tested by their own code, in the student's process",
    ),
    "sandbox": Text("bac à sable", "sandbox"),
    "none": Text("aucun", "none"),
}
"""Strings by their name in the template."""

PHASES = {
    "cells": Text("cellules", "cells"),
    "training": Text("entraînement", "training"),
    "questions": Text("questions des tests cachés", "hidden tests"),
    "kernel": Text("démarrage du noyau", "kernel start"),
}
"""The phases of grading, as in ``NotebookRunner.seconds``."""

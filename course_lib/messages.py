"""Every sentence that the kit says to a student, in French and in English: one catalogue.

The language is ``COURSE_LIB_LANG`` (``fr`` or ``en``) when the library is imported, French without it, and can be
changed by :func:`set_language`. The hidden tests carry their own rationale in both languages.
"""

import os
from typing import NamedTuple

__all__ = ["LANGUAGES", "MESSAGES", "Text", "language", "say", "set_language"]

LANGUAGES = ("fr", "en")


class Text(NamedTuple):
    """One sentence in every language of the kit."""

    fr: str
    en: str

    def __str__(self) -> str:
        return self.fr if language() == "fr" else self.en


MESSAGES: dict[str, Text] = {
    # self-checks
    "check.right": Text("Correct", "Right"),
    "check.not_yet": Text("Pas encore", "Not yet"),
    "check.to_do": Text("À faire", "To do"),
    "check.called": Text("Appelé", "Called"),
    "check.variable": Text("Variable", "Variable"),
    "check.returned": Text("Obtenu", "Came back"),
    "check.raised": Text("Erreur levée", "Raised"),
    "check.cause": Text("Cause probable", "Likely cause"),
    "labelled": Text("{name} : {text}", "{name}: {text}"),
    "separator": Text(" ; ", "; "),
    "check.missing": Text(
        "« {name} » n'existe pas encore : la cellule au-dessus doit définir ce nom, exécutez-la jusqu'au bout.",
        "'{name}' does not exist yet: the cell above must define this name, run it to its end.",
    ),
    "check.no_python": Text(
        "la cellule exécutée juste avant n'est pas du Python valide, rien n'en a été repris : corrigez l'erreur "
        "qu'elle affiche, puis exécutez-la à nouveau.",
        "the cell that was run just before is not valid Python, nothing of it was taken over: mend the error that it "
        "shows, then run it again.",
    ),
    "check.unfinished": Text(
        "{name} contient encore « raise NotImplementedError » : remplacez cette ligne par votre code.",
        "{name} still contains 'raise NotImplementedError': replace that line with your code.",
    ),
    "check.unfinished_cell": Text(
        "la cellule contient encore « raise NotImplementedError » : remplacez cette ligne par votre code.",
        "the cell still contains 'raise NotImplementedError': replace that line with your code.",
    ),
    "check.type": Text("on attend {expected}, et non {actual}.", "{expected} is expected, not {actual}."),
    "check.shape": Text(
        "on attend la forme {expected}, et non {actual}.", "the shape should be {expected}, not {actual}."
    ),
    "check.dtype": Text(
        "on attend le dtype {expected}, et non {actual}.", "the dtype should be {expected}, not {actual}."
    ),
    "check.value": Text("les valeurs ne sont pas celles attendues.", "the values are not the expected ones."),
    "check.raised_cause": Text(
        "votre code s'est arrêté sur cette erreur, à la ligne {line} de sa cellule.",
        "your code stopped on this error, at line {line} of its cell.",
    ),
    "check.raised_at": Text("à la ligne {line} de sa cellule, {cause}", "at line {line} of its cell: {cause}"),
    "check.name": Text(
        "un nom n'est pas défini : une faute de frappe, ou une cellule qui n'a pas été exécutée ?",
        "a name is not defined: a typing error, or a cell that has not been run?",
    ),
    # training
    "training.to_do": Text(
        "À faire : le modèle n'est pas terminé (NotImplementedError). Complétez sa cellule, puis relancez celle-ci.",
        "To do: the model is not finished (NotImplementedError). Complete its cell, then run this one again.",
    ),
    "training.title": Text("Entraînement de {model}", "Training {model}"),
    "training.stopped": Text(
        "L'exactitude demandée, {accuracy}, est atteinte : la correction arrête ici l'entraînement.",
        "The required accuracy, {accuracy}, is reached: grading ends the training here.",
    ),
    "training.reused": Text(
        "Entraînement de {model} : repris d'un modèle au comportement identique.",
        "Training {model}: taken over from a model that behaves the same.",
    ),
    # data
    "mnist.replaced": Text(
        "Le fichier {path} était abîmé : il a été remplacé par l'original.",
        "The file {path} was damaged: it has been replaced by the original.",
    ),
    "mnist.broken_package": Text(
        "Le fichier {path} de course_lib est abîmé ou absent : téléchargez à nouveau le dossier du devoir.",
        "The file {path} of course_lib is damaged or missing: download the assignment folder again.",
    ),
    "device.unknown": Text(
        "COURSE_LIB_DEVICE={name} n'est pas disponible ici ({available}) : le calcul se fera sur {device}.",
        "COURSE_LIB_DEVICE={name} is not available here ({available}): computing on {device} instead.",
    ),
    "device.broken": Text(
        "La carte graphique ({name}) ne calcule pas : {error}. Le calcul se fera sans elle.",
        "The graphics card ({name}) does not compute: {error}. Computing without it.",
    ),
    # verdicts of the judge: the word, then the hint
    "verdict.passed": Text("réussi", "passed"),
    "verdict.failed": Text("échoué", "failed"),
    "verdict.not_attempted": Text("non traité", "not attempted"),
    "verdict.error": Text("erreur", "error"),
    "verdict.timeout": Text("temps dépassé", "timeout"),
    "verdict.out_of_memory": Text("mémoire épuisée", "out of memory"),
    "verdict.too_many_processes": Text("trop de processus", "too many processes"),
    "verdict.disk_full": Text("disque plein", "disk full"),
    "verdict.too_much_output": Text("trop de sorties", "too much output"),
    "verdict.nonsense": Text("réponse insensée", "nonsense"),
    "verdict.kernel_died": Text("noyau arrêté", "kernel died"),
    "verdict.unreadable": Text("illisible", "unreadable"),
    "hint.passed": Text("", ""),
    "hint.failed": Text(
        "Le code s'exécute, mais cette propriété n'est pas vérifiée.",
        "The code runs, but this property does not hold.",
    ),
    "hint.cause": Text("{hint} Cause probable : {cause}", "{hint} Likely cause: {cause}"),
    "hint.not_attempted": Text("La cellule a été rendue telle quelle.", "The cell was handed in as it was given."),
    "hint.error": Text(
        "Le code s'est arrêté sur une erreur : {detail}",
        "The code stopped on an error: {detail}",
    ),
    "hint.timeout": Text(
        "Le code n'a pas terminé à temps : cherchez une boucle sans fin, dans ce code ou dans ce qu'il appelle.",
        "The code did not end in time: look for an endless loop, in it or in what it calls.",
    ),
    "hint.timeout_in": Text(
        "La cellule qui commence par « {detail} » n'a pas terminé à temps : cherchez-y une boucle sans fin.",
        "The cell that begins with '{detail}' did not end in time: look for an endless loop in it.",
    ),
    "hint.out_of_memory": Text(
        "Le code a demandé plus de mémoire que permis : traitez les images par lots.",
        "The code asked for more memory than allowed: process the images in batches.",
    ),
    "hint.too_many_processes": Text(
        "Le code a lancé plus de processus ou de fils d'exécution que permis : attendez la fin des uns avant d'en "
        "lancer d'autres.",
        "The code started more processes or threads than allowed: wait for the end of some before you start others.",
    ),
    "hint.disk_full": Text(
        "Le code a écrit dans des fichiers plus de données que permis : écrivez-en moins.",
        "The code wrote more data to files than allowed: write less.",
    ),
    "hint.too_much_output": Text(
        "Le code affiche sans fin ou presque : retirez les print d'une boucle.",
        "The code prints almost without end: remove a print from a loop.",
    ),
    "hint.nonsense": Text(
        "Le noyau Python n'a pas répondu comme le fait Jupyter : retirez du code ce qui modifie le noyau.",
        "The Python kernel did not answer as Jupyter does: remove from the code what changes the kernel.",
    ),
    "hint.kernel_died": Text(
        "Le code a arrêté le noyau Python (os._exit ou une faute mémoire) : redémarrez-le et exécutez les cellules une "
        "à une, pour voir laquelle l'arrête.",
        "The code stopped the Python kernel (os._exit or a memory fault): restart it and run the cells one by one, to "
        "see which one stops it.",
    ),
    "hint.unreadable": Text(
        "Aucun notebook lisible n'a été rendu ({detail}). "
        "Ouvrez le vôtre dans Jupyter, enregistrez-le sous le nom qu'il avait et rendez-le à nouveau.",
        "No readable notebook was handed in ({detail}). "
        "Open yours in Jupyter, save it under the name that it had and hand it in again.",
    ),
    # likely causes, of an error
    "cause.sparse": Text(
        "un tenseur creux (sparse) n'est pas accepté ici : .to_dense() en fait un tenseur ordinaire.",
        "a sparse tensor is not accepted here: .to_dense() makes an ordinary one of it.",
    ),
    "cause.linear_size": Text(
        "une couche linéaire reçoit des vecteurs d'une autre taille que celle qu'elle annonce : "
        "vérifiez view ou reshape juste avant elle, et la taille que rend la couche précédente.",
        "a linear layer gets vectors of another size than it declares: check view or reshape just before it, and the "
        "size that the layer before it returns.",
    ),
    "cause.channels": Text(
        "une convolution attend la forme (N, canaux, lignes, colonnes), avec le nombre de canaux qu'elle annonce.",
        "a convolution expects the shape (N, channels, rows, columns), with the number of channels that it declares.",
    ),
    "cause.too_small": Text(
        "la fenêtre d'une convolution ou d'un pooling est plus grande que l'image qui lui arrive : comptez les lignes "
        "et les colonnes qui restent après chaque couche.",
        "the window of a convolution or pooling is larger than the image that it gets: count the rows and columns that "
        "are left after each layer.",
    ),
    "cause.normalization": Text(
        "une couche de normalisation reçoit un autre nombre de canaux, ou de dimensions, que celui qu'elle annonce.",
        "a normalization layer gets another number of channels, or of dimensions, than it declares.",
    ),
    "cause.recurrent": Text(
        "une couche récurrente attend la forme (longueur, N, input_size), ou (N, longueur, input_size) avec "
        "batch_first=True ; son état initial, (nombre de couches, N, hidden_size).",
        "a recurrent layer expects the shape (length, N, input_size), or (N, length, input_size) with "
        "batch_first=True; its initial state, (number of layers, N, hidden_size).",
    ),
    "cause.view": Text(
        "la forme demandée à view ou reshape ne contient pas autant de valeurs que le tenseur ; "
        "-1 laisse PyTorch déduire le nombre d'images.",
        "the shape given to view or reshape does not hold as many values as the tensor; "
        "-1 lets PyTorch infer the number of images.",
    ),
    "cause.contiguous": Text(
        "view ne s'applique pas à un tenseur transposé, permuté ou pris par pas ([::2]) : faut-il vraiment "
        "transposer ?",
        "view does not apply to a tensor that is transposed, permuted or taken in steps ([::2]): is the transposition "
        "needed at all?",
    ),
    "cause.device": Text(
        "le code impose un processeur ou une carte graphique : créez les tenseurs sur l'appareil de l'argument "
        "(device=x.device).",
        "the code insists on a processor or a graphics card: create tensors on the device of the argument "
        "(device=x.device).",
    ),
    "cause.dtype": Text(
        "les types de nombres ne vont pas ensemble : convertissez avec .float() ou .long().",
        "the types of numbers do not go together: convert with .float() or .long().",
    ),
    "cause.dim": Text(
        "dim, axis ou un indice désigne une dimension que le tenseur n'a pas : vérifiez sa forme, et l'ordre des "
        "arguments.",
        "dim, axis or an index names a dimension that the tensor lacks: check its shape, and the order of the "
        "arguments.",
    ),
    "cause.index": Text(
        "un indice dépasse la taille du tenseur, ou du codage.",
        "an index is beyond the size of the tensor, or of the encoding.",
    ),
    "cause.sizes": Text(
        "deux tenseurs sont combinés, dont les formes ne vont pas ensemble : pensez à keepdim=True ou à [:, None].",
        "two tensors are combined whose shapes do not go together: think of keepdim=True or of [:, None].",
    ),
    "cause.scalar": Text(
        "item(), float(), int() ou if est appliqué à un tenseur de plusieurs valeurs.",
        "item(), float(), int() or if is applied to a tensor of several values.",
    ),
    "cause.in_place": Text(
        "une opération modifie sur place un tenseur dont le gradient a besoin.",
        "an operation modifies in place a tensor that the gradient needs.",
    ),
    "cause.numpy": Text(
        "le modèle passe par numpy, qui ne calcule pas de gradient : restez en PyTorch.",
        "the model goes through numpy, which computes no gradient: stay in PyTorch.",
    ),
    "cause.detached": Text(
        "le calcul est coupé de ses paramètres (detach, data, no_grad, requires_grad=False) : rien ne s'entraîne.",
        "the computation is cut off from its parameters (detach, data, no_grad, requires_grad=False): nothing trains.",
    ),
    "cause.forward": Text(
        "le modèle n'a pas de méthode forward : vérifiez son nom et son indentation.",
        "the model has no method forward: check its name and its indentation.",
    ),
    "cause.super": Text(
        "appelez super().__init__() avant de déclarer des couches.", "call super().__init__() before declaring layers."
    ),
    "cause.tuple": Text(
        "un tuple est pris pour un tenseur : RNN et GRU rendent (sorties, état), LSTM (sorties, (état, mémoire)), "
        "max(dim=...) (valeurs, indices). Prenez celui qu'il vous faut.",
        "a tuple is taken for a tensor: RNN and GRU return (outputs, state), LSTM (outputs, (state, memory)), "
        "max(dim=...) (values, indices). Take the one that you need.",
    ),
    "cause.numpy_function": Text(
        "une fonction de numpy (np.mean, np.sum, np.max) reçoit un tenseur de PyTorch : prenez celle de torch, ou "
        "convertissez d'abord par .numpy().",
        "a function of numpy (np.mean, np.sum, np.max) is given a tensor of PyTorch: take that of torch, or convert "
        "with .numpy() first.",
    ),
    "cause.arguments": Text(
        "une fonction ou une couche est appelée avec d'autres arguments que ceux qu'elle attend.",
        "a function or a layer is called with other arguments than it expects.",
    ),
    "cause.none": Text(
        "une valeur est None : une fonction qui ne retourne rien, il manque peut-être return.",
        "a value is None: a function that returns nothing, perhaps a return is missing.",
    ),
    "cause.types": Text(
        "une opération reçoit une valeur d'un type qu'elle n'accepte pas : un texte pour un nombre, une liste pour un "
        "tenseur ?",
        "an operation is given a value of a type that it does not take: a text for a number, a list for a tensor?",
    ),
    "cause.not_callable": Text(
        "ce qui est appelé avec () n'est pas une fonction : des parenthèses de trop, ou une variable du même nom ?",
        "what is called with () is no function: needless parentheses, or a variable of the same name?",
    ),
    "cause.attribute": Text(
        "un attribut ou une méthode n'existe pas : une faute de frappe, une couche d'un autre nom, ou un objet d'un "
        "autre type ?",
        "an attribute or a method does not exist: a typing error, a layer of another name, or an object of another "
        "type?",
    ),
    "cause.name": Text(
        "un nom n'est pas défini à cet endroit du notebook : une faute de frappe, une cellule supprimée ou plus bas ?",
        "a name is not defined at this place of the notebook: a typing error, a cell deleted or further down?",
    ),
    "cause.key": Text("un dictionnaire n'a pas cette clé.", "a dictionary lacks this key."),
    "cause.file": Text(
        "un fichier n'est pas là : ceux du devoir sont à côté du notebook, nommez-les par un chemin relatif, comme "
        "dans l'énoncé.",
        "a file is not there: those of the assignment are beside the notebook, name them by a relative path, as the "
        "exercise does.",
    ),
    "cause.module": Text(
        "un module n'est pas installé, ou n'a pas ce qui en est importé : prenez ce que l'énoncé importe.",
        "a module is not installed, or lacks what is imported from it: take what the exercise imports.",
    ),
    "cause.unpack": Text(
        "ce qui est réparti sur plusieurs variables n'a pas autant de valeurs : vérifiez ce que rend chaque fonction.",
        "what is assigned to several variables has another number of values: check what each function returns.",
    ),
    "cause.unfinished": Text(
        "la cellule contient encore « raise NotImplementedError ».",
        "the cell still contains 'raise NotImplementedError'.",
    ),
    "cause.input": Text(
        "input() attend une réponse que personne ne donne pendant la correction : écrivez la valeur dans le code.",
        "input() waits for an answer that nobody gives while grading: write the value into the code.",
    ),
    "cause.recursion": Text("la fonction s'appelle elle-même sans fin.", "the function calls itself without end."),
    "cause.zero": Text("une division par zéro.", "a division by zero."),
    "cause.overflow": Text(
        "un nombre déborde : retranchez le maximum avant l'exponentielle.",
        "a number overflows: subtract the maximum before the exponential.",
    ),
    "cause.one_image": Text(
        "une normalisation sur le lot (BatchNorm) ne peut rien d'une image seule pendant l'entraînement.",
        "a normalization over the batch (BatchNorm) can do nothing with a single image in training.",
    ),
    "cause.exit": Text("le code met fin au programme (exit, quit).", "the code ends the program (exit, quit)."),
    "cause.indentation": Text("ce n'est pas du Python valide.", "this is not valid Python."),
    "cause.error": Text(
        "exécutez la cellule de contrôle sous votre réponse : elle montre le message complet. Si elle n'en montre pas, "
        "essayez d'autres arguments : un seul exemple, beaucoup, de grandes valeurs.",
        "run the check cell below your answer: it shows the whole message. If it shows none, try other "
        "arguments: a single example, many, large values.",
    ),
    # likely causes, of what came back
    "cause.transposed": Text("les lignes et les colonnes sont échangées.", "rows and columns are swapped."),
    "cause.dimensions": Text(
        "le résultat a {actual} dimension(s) au lieu de {expected}.",
        "the result has {actual} dimension(s) instead of {expected}.",
    ),
    "cause.items": Text(
        "on attend {expected} valeurs dans un tuple, et non {actual}.",
        "{expected} values in a tuple are expected, not {actual}.",
    ),
    "cause.rows": Text(
        "le résultat n'a pas une ligne pour chaque élément du lot.",
        "the result does not have one row for each element of the batch.",
    ),
    "cause.length": Text(
        "le résultat n'a pas autant de valeurs que l'énoncé en demande.",
        "the result does not have as many values as the exercise asks for.",
    ),
    "cause.columns": Text(
        "le résultat n'a pas le nombre de colonnes de l'énoncé.",
        "the result does not have the number of columns that the exercise states.",
    ),
    "cause.no_return": Text(
        "rien n'est retourné : il manque return, ou print le remplace.",
        "nothing is returned: return is missing, or print stands in its place.",
    ),
    "cause.is_none": Text(
        "la variable vaut None : donnez-lui sa valeur (print affiche, mais ne rend rien).",
        "the variable is None: give it its value (print shows something, but gives nothing back).",
    ),
    "cause.type": Text(
        "le résultat est de type {actual}, l'énoncé demande {expected}.",
        "the result is of type {actual}, the exercise asks for {expected}.",
    ),
    "cause.other_type": Text(
        "le résultat n'est pas de type {expected}, que l'énoncé demande.",
        "the result is not of type {expected}, which the exercise asks for.",
    ),
    "cause.not_called": Text(
        "c'est une fonction, qui n'est pas appelée : il manque ().",
        "this is a function that is not called: () is missing.",
    ),
    "cause.not_finite": Text(
        "le résultat contient des NaN ou des infinis : un débordement de l'exponentielle, une division par zéro, "
        "le logarithme d'un nombre négatif ou nul, ou de la mémoire non remplie (torch.empty).",
        "the result contains NaN or infinity: an exponential that overflows, a division by zero, the logarithm of a "
        "number that is not positive, or memory that is not filled (torch.empty).",
    ),
    "cause.values": Text(
        "les valeurs ne sont pas celles attendues : essayez votre code sur un exemple calculé à la main.",
        "the values are not the expected ones: try your code on an example that you can compute by hand.",
    ),
    "cause.modified": Text(
        "le code modifie ce qu'il reçoit (opération sur place) : travaillez sur une copie.",
        "the code modifies what it is given (an in-place operation): work on a copy.",
    ),
    "cause.parameters": Text(
        "les paramètres du modèle ne sont pas ceux de l'énoncé : "
        "une couche en trop, en moins, d'une autre taille, sans biais, hors de __init__ ou dans une liste Python "
        "(prenez nn.ModuleList), ou une matrice transposée ?",
        "the parameters of the model are not those of the exercise: "
        "a layer too many, missing, of another size, without a bias, made outside of __init__ or in a Python list "
        "(take nn.ModuleList), or a transposed matrix?",
    ),
    "cause.no_model": Text(
        "ce n'est pas un modèle : il faut une classe qui hérite de nn.Module.",
        "this is no model: a class that inherits from nn.Module is needed.",
    ),
    # feedback
    "feedback.title": Text("Résultat : {score} / {points}", "Result: {score} / {points}"),
    "feedback.test": Text("Ce qui est vérifié", "What is checked"),
    "feedback.verdict": Text("Verdict", "Verdict"),
    "feedback.points": Text("Points", "Points"),
    "feedback.hint": Text("Indication", "Hint"),
    "feedback.no_response": Text("Pas de réponse.", "No response."),
    "feedback.repaired": Text(
        "Notebook réparé avant la correction : {what}.", "Notebook repaired before grading: {what}."
    ),
    "rubric": Text(
        "Réponse attendue et barème (invisibles pour l'étudiant)",
        "Expected answer and mark scheme (students do not see this)",
    ),
    "appeal.protection": Text("le code de l'étudiant a tourné dans", "the student's code ran in"),
    "appeal.recorded": Text("le carnet de notes dit {score}", "the gradebook says {score}"),
    "table.student": Text("étudiant", "student"),
    "table.sum": Text("total", "sum"),
    "table.verdicts": Text("verdicts", "verdicts"),
    "table.all_passed": Text("tout réussi", "all passed"),
    "export.waits": Text("à noter ou à revoir", "waits for a person"),
    "output.cut": Text("[... la suite des sorties est coupée]", "[... further output is cut]"),
    # rebuilding a submission
    "rebuild.json": Text("JSON incorrect à la ligne {line}", "bad JSON at line {line}"),
    "rebuild.empty": Text("fichier vide", "empty file"),
    "rebuild.not_there": Text("{name} n'a pas été rendu", "{name} was not handed in"),
    "rebuild.others": Text(", mais {names} : renommez le fichier", ", but {names}: rename the file"),
    "rebuild.no_notebook": Text("pas un notebook", "not a notebook"),
    "rebuild.no_file": Text("lien ou fichier spécial", "a link or a special file"),
    "rebuild.too_large": Text("plus de {size} Mio", "more than {size} MiB"),
    "rebuild.too_long": Text("sa lecture prend trop de temps", "it takes too long to read"),
    "repair.duplicate": Text(
        "la cellule « {name} » était en plusieurs morceaux, ils ont été réunis",
        "the cell '{name}' was in several pieces, they were joined",
    ),
    "repair.missing": Text(
        "la cellule « {name} » manquait, elle a été remise", "the cell '{name}' was missing, it was put back"
    ),
    "repair.changed": Text(
        "la cellule verrouillée « {name} » avait été modifiée, l'original a été remis",
        "the locked cell '{name}' had been changed, the original was put back",
    ),
}

_language = os.environ.get("COURSE_LIB_LANG", "fr")


def language() -> str:
    """The language in use, ``"fr"`` or ``"en"``; an unknown ``COURSE_LIB_LANG`` counts as French."""
    return _language if _language in LANGUAGES else "fr"


def set_language(name: str) -> None:
    """Choose the language of all messages from now on.

    Args:
        name: ``"fr"`` or ``"en"``.

    Raises:
        ValueError: for any other name.
    """
    global _language
    if name not in LANGUAGES:
        raise ValueError(f"language {name!r}: choose one of {', '.join(LANGUAGES)}")
    _language = name


def say(key: str, **fields: object) -> str:
    """The message ``key`` in the language in use, its fields filled in.

    Raises:
        KeyError: if the catalogue has no such message, or a field is missing.
    """
    return str(MESSAGES[key]).format(**fields)

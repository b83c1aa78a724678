"""The catalogue of all messages to students, in French and English.

The environment variable ``COURSE_LIB_LANG`` (``fr`` or ``en``) sets the language when the library is imported; the
default is French. :func:`set_language` changes it. Hidden tests contain their own messages in both languages.
"""

import os
from typing import NamedTuple

__all__ = ["LANGUAGES", "MESSAGES", "Text", "language", "say", "set_language"]

LANGUAGES = ("fr", "en")


class Text(NamedTuple):
    """One message in both languages."""

    fr: str
    en: str

    def __str__(self) -> str:
        return self.fr if language() == "fr" else self.en


TEXT_STUB = "*Votre réponse ici. / Your answer here.*"
"""What a released notebook has in place of a free-text answer."""

MESSAGES: dict[str, Text] = {
    # self-checks
    "check.right": Text("Semble juste jusqu'ici", "Looks right so far"),
    "check.more": Text("La notation vérifie davantage de cas.", "Grading checks more cases."),
    "check.next": Text("Prochaine étape", "Next step"),
    "check.of_shape": Text("forme {shape}", "shape {shape}"),
    "check.as_expected": Text("valeur attendue", "the expected value"),
    "check.not_yet": Text("Pas encore", "Not yet"),
    "check.to_do": Text("À faire", "To do"),
    "check.called": Text("Appelé", "Called"),
    "check.variable": Text("Variable", "Variable"),
    "check.returned": Text("Obtenu", "Result"),
    "check.raised": Text("Erreur levée", "Error raised"),
    "check.cause": Text("Cause probable", "Likely cause"),
    "labelled": Text("{name} : {text}", "{name}: {text}"),
    "separator": Text(" ; ", "; "),
    "colon": Text(" : ", ": "),
    "check.missing": Text(
        "« {name} » n'existe pas encore : la cellule au-dessus doit définir ce nom, exécutez-la jusqu'au bout.",
        "'{name}' does not exist yet. The cell above should define it; run that cell to the end.",
    ),
    "check.no_python": Text(
        "la cellule exécutée juste avant n'est pas du Python valide, donc rien n'a été exécuté : corrigez l'erreur "
        "qu'elle affiche, puis exécutez-la à nouveau.",
        "the last cell is not valid Python, so none of it ran. Fix the error shown and run it again.",
    ),
    "check.unfinished": Text(
        "{name} contient encore « raise NotImplementedError » : remplacez cette ligne par votre code.",
        "{name} still contains 'raise NotImplementedError'. Replace that line with your code.",
    ),
    "check.unfinished_cell": Text(
        "la cellule contient encore « raise NotImplementedError » : remplacez cette ligne par votre code.",
        "the cell still contains 'raise NotImplementedError'. Replace that line with your code.",
    ),
    "check.type": Text("on attend {expected}, et non {actual}.", "expected {expected}, got {actual}."),
    "check.shape": Text(
        "on attend la forme {expected}, et non {actual}.", "expected the shape {expected}, got {actual}."
    ),
    "check.dtype": Text(
        "on attend le dtype {expected}, et non {actual}.", "expected the dtype {expected}, got {actual}."
    ),
    "check.value": Text("les valeurs ne sont pas celles attendues.", "these are not the expected values."),
    "check.raised_cause": Text(
        "votre code s'est arrêté sur cette erreur, à la ligne {line} de sa cellule.",
        "your code raised this error at line {line} of the cell.",
    ),
    "check.raised_at": Text("à la ligne {line} de sa cellule, {cause}", "at line {line} of the cell: {cause}"),
    "check.name": Text(
        "un nom n'est pas défini : une faute de frappe, ou une cellule qui n'a pas été exécutée ?",
        "a name is not defined. Is there a typo, or has a cell not been run?",
    ),
    "confusion.corner": Text("vrai ↓ prédit →", "true ↓ predicted →"),
    # hints, progress, handing in
    "hint.level": Text("{title}, indice {level} sur {levels}", "{title}, hint {level} of {levels}"),
    "hint.unknown": Text(
        "Il n'y a pas d'indice pour « {name} ». Il y en a pour : {names}.",
        "There is no hint for '{name}'. There are hints for: {names}.",
    ),
    "progress.title": Text("Semblent justes : {done} sur {total}", "{done} of {total} look right"),
    "progress.to_do": Text("à faire", "still to do"),
    "progress.written": Text("répondu ; une personne notera votre réponse", "answered; a person will grade it"),
    "progress.no_text": Text("pas encore de réponse", "no answer yet"),
    "exercise.elsewhere": Text(
        "Ceci accompagne le notebook {name}, et celui-ci en est un autre.",
        "This belongs to the notebook {name}, and this is another one.",
    ),
    "hand_in.not_written": Text(
        "Le fichier ne peut pas être écrit : {reason}.", "The file cannot be written: {reason}."
    ),
    "progress.texts": Text(" ; textes rédigés : {done} sur {total}", "; texts written: {done} of {total}"),
    "hand_in.no_file": Text(
        "Le fichier de ce notebook est introuvable : gardez un seul notebook dans son dossier, puis recommencez.",
        "The file of this notebook was not found. Keep one notebook in its folder, then try again.",
    ),
    "hand_in.old": Text(
        "Rien n'est écrit : le dernier enregistrement du notebook date de {minutes} minutes. Enregistrez-le (Ctrl+S), "
        "puis recommencez.",
        "Nothing is written: the notebook was last saved {minutes} minutes ago. Save it (Ctrl+S), then run this again.",
    ),
    "hand_in.renamed": Text(
        "{old} est rendu sous le nom du devoir, {new}.", "{old} is handed in under the name of the assignment, {new}."
    ),
    "hand_in.written": Text(
        "Déposez ce fichier : {path}\nReçu, à garder : {receipt}",
        "Upload this file: {path}\nReceipt, to keep: {receipt}",
    ),
    # training
    "training.to_do": Text(
        "À faire : le modèle n'est pas terminé (NotImplementedError). Complétez sa cellule, puis relancez celle-ci.",
        "To do: the model is not finished (NotImplementedError). Complete and run its cell, then run this one again.",
    ),
    "training.title": Text("Entraînement de {model}", "Training {model}"),
    "training.interrupted": Text(
        "Arrêté après {done} époque(s) sur {epochs} ; les poids sont gardés.",
        "Stopped after {done} of {epochs} epochs; the weights are kept.",
    ),
    "training.stopped": Text(
        "L'exactitude demandée, {accuracy}, est atteinte : la correction arrête ici l'entraînement.",
        "The model has reached the required accuracy, {accuracy}, so training stops early during grading.",
    ),
    "training.reused": Text(
        "Entraînement de {model} : repris d'un modèle au comportement identique.",
        "Training {model}: reused from a model that behaves the same.",
    ),
    # data
    "mnist.replaced": Text(
        "Le fichier {path} était abîmé : il a été remplacé par l'original.",
        "The file {path} was damaged. It has been replaced with the original.",
    ),
    "mnist.broken_package": Text(
        "Le fichier {path} de course_lib est abîmé ou absent : téléchargez à nouveau le dossier du devoir.",
        "The file {path} of course_lib is damaged or missing. Download the assignment folder again.",
    ),
    "device.unknown": Text(
        "COURSE_LIB_DEVICE={name} n'est pas disponible ici ({available}) : le calcul se fera sur {device}.",
        "COURSE_LIB_DEVICE={name} is not available here (available: {available}). Computing on {device} instead.",
    ),
    "device.broken": Text(
        "La carte graphique ({name}) ne calcule pas : {error}. Le calcul se fera sans elle.",
        "The GPU ({name}) does not work: {error}. Computing without it.",
    ),
    # verdicts of the judge: first their names, then their hints
    "verdict.passed": Text("réussi", "passed"),
    "verdict.partial": Text("en partie", "partly passed"),
    "verdict.failed": Text("échoué", "failed"),
    "verdict.not_attempted": Text("non traité", "not attempted"),
    "verdict.error": Text("erreur", "error"),
    "verdict.timeout": Text("temps dépassé", "timeout"),
    "verdict.out_of_memory": Text("mémoire épuisée", "out of memory"),
    "verdict.too_many_processes": Text("trop de processus", "too many processes"),
    "verdict.disk_full": Text("disque plein", "disk full"),
    "verdict.too_much_output": Text("trop de sorties", "too much output"),
    "verdict.invalid_answer": Text("réponse invalide", "invalid answer"),
    "verdict.kernel_died": Text("noyau arrêté", "kernel died"),
    "verdict.test_crashed": Text("à revoir", "to be checked"),
    "verdict.unreadable": Text("illisible", "unreadable"),
    "verdicts.passed": Text("réussis", "passed"),
    "verdicts.partial": Text("en partie", "partly passed"),
    "verdicts.failed": Text("échoués", "failed"),
    "verdicts.not_attempted": Text("non traités", "not attempted"),
    "verdicts.error": Text("erreurs", "errors"),
    "verdicts.timeout": Text("temps dépassés", "timeouts"),
    "verdicts.out_of_memory": Text("mémoires épuisées", "out of memory"),
    "verdicts.too_many_processes": Text("trop de processus", "too many processes"),
    "verdicts.disk_full": Text("disques pleins", "disks full"),
    "verdicts.too_much_output": Text("trop de sorties", "too much output"),
    "verdicts.invalid_answer": Text("réponses invalides", "invalid answers"),
    "verdicts.kernel_died": Text("noyaux arrêtés", "kernels died"),
    "verdicts.test_crashed": Text("à revoir", "to be checked"),
    "verdicts.unreadable": Text("illisibles", "unreadable"),
    "hint.passed": Text("", ""),
    "hint.partial": Text(
        "Une partie seulement des vérifications de la cellule est réussie.",
        "Only some of the checks in the cell pass.",
    ),
    "hint.failed": Text(
        "Le code s'exécute, mais cette propriété n'est pas respectée.",
        "The code runs, but it does not meet this requirement.",
    ),
    "hint.cause": Text("{hint} Cause probable : {cause}", "{hint} Likely cause: {cause}"),
    "hint.not_attempted": Text("La cellule a été rendue telle quelle.", "The cell was handed in unchanged."),
    "hint.error": Text(
        "Le code s'est arrêté sur une erreur : {detail}",
        "The code stopped with an error: {detail}",
    ),
    "hint.timeout": Text(
        "Le code n'a pas terminé à temps : cherchez une boucle sans fin, dans ce code ou dans ce qu'il appelle.",
        "The code did not finish in time. Look for an endless loop, in this code or in the code that it calls.",
    ),
    "hint.timeout_in": Text(
        "La cellule qui commence par « {detail} » n'a pas terminé à temps : cherchez-y une boucle sans fin.",
        "The cell that begins with '{detail}' did not finish in time. Look for an endless loop in it.",
    ),
    "hint.out_of_memory": Text(
        "Le code a demandé plus de mémoire que permis : traitez les images par lots.",
        "The code needed more memory than allowed. Process the images in batches.",
    ),
    "hint.too_many_processes": Text(
        "Le code a lancé plus de processus ou de fils d'exécution que permis : attendez la fin des uns avant d'en "
        "lancer d'autres.",
        "The code started more processes or threads than allowed. Wait for some of them to end before you start "
        "others.",
    ),
    "hint.disk_full": Text(
        "Le code a écrit dans des fichiers plus de données que permis : écrivez-en moins.",
        "The code wrote more data to files than allowed. Write less.",
    ),
    "hint.too_much_output": Text(
        "Le code affiche sans fin ou presque : retirez les print d'une boucle.",
        "The code prints almost endlessly. Remove the print calls from your loops.",
    ),
    "hint.invalid_answer": Text(
        "Le noyau Python n'a pas répondu comme le fait Jupyter : retirez du code ce qui modifie le noyau.",
        "The Python kernel did not respond the way a Jupyter kernel does. Remove the code that changes the kernel.",
    ),
    "hint.kernel_died": Text(
        "Le code a arrêté le noyau Python (os._exit ou une faute mémoire) : redémarrez-le et exécutez les cellules une "
        "à une, pour voir laquelle l'arrête.",
        "The code crashed the Python kernel (os._exit or a segmentation fault). Restart the kernel and run the cells "
        "one by one to find the cell that crashes it.",
    ),
    "hint.test_crashed": Text(
        "Le test lui-même s'est arrêté sur cette réponse : ces points sont provisoires, l'enseignant va regarder.",
        "The test itself crashed on your answer. The points for it are provisional; your instructor will look into it.",
    ),
    "hint.unreadable": Text(
        "Aucun notebook lisible n'a été rendu ({detail}). "
        "Ouvrez le vôtre dans Jupyter, enregistrez-le sous le nom qu'il avait et rendez-le à nouveau.",
        "No readable notebook was handed in ({detail}). Open yours in Jupyter, save it under its original name and"
        " hand it in again.",
    ),
    # grade cells that are tested by their own code
    "classic.label": Text("Cette cellule est vérifiée par son propre code.", "This cell is tested by its own code."),
    "classic.rationale": Text("Les tests de cette cellule réussissent.", "The tests in this cell pass."),
    "classic.line": Text("la ligne « {line} » échoue ({error}).", "the line '{line}' fails ({error})."),
    "classic.hidden": Text(
        "un test caché de cette cellule échoue ({error}).", "a hidden test of this cell fails ({error})."
    ),
    "classic.exception": Text("une exception", "an exception"),
    # likely causes of an error
    "cause.sparse": Text(
        "un tenseur creux (sparse) n'est pas accepté ici : .to_dense() en fait un tenseur ordinaire.",
        "sparse tensors are not accepted here; .to_dense() turns one into an ordinary tensor.",
    ),
    "cause.linear_size": Text(
        "une couche linéaire reçoit des vecteurs d'une autre taille que celle qu'elle annonce : "
        "vérifiez view ou reshape juste avant elle, et la taille que rend la couche précédente.",
        "a linear layer receives vectors of a different size than it was declared with. Check view or reshape just"
        " before it, and the output size of the previous layer.",
    ),
    "cause.channels": Text(
        "une convolution attend la forme (N, canaux, lignes, colonnes), avec le nombre de canaux qu'elle annonce.",
        "a convolution expects the shape (N, channels, rows, columns), with the number of channels that it was "
        "declared with.",
    ),
    "cause.too_small": Text(
        "la fenêtre d'une convolution ou d'un pooling est plus grande que l'image qui lui arrive : comptez les lignes "
        "et les colonnes qui restent après chaque couche.",
        "the window of a convolution or pooling is larger than its input image. Count the rows and columns that "
        "are left after each layer.",
    ),
    "cause.normalization": Text(
        "une couche de normalisation reçoit un autre nombre de canaux, ou de dimensions, que celui qu'elle annonce.",
        "a normalization layer receives a different number of channels, or of dimensions, than it was declared with.",
    ),
    "cause.recurrent": Text(
        "une couche récurrente attend la forme (longueur, N, input_size), ou (N, longueur, input_size) avec "
        "batch_first=True ; son état initial, (nombre de couches, N, hidden_size).",
        "a recurrent layer expects the shape (length, N, input_size), or (N, length, input_size) with "
        "batch_first=True. Its initial state has the shape (number of layers, N, hidden_size).",
    ),
    "cause.view": Text(
        "la forme demandée à view ou reshape ne contient pas autant de valeurs que le tenseur ; "
        "-1 laisse PyTorch déduire le nombre d'images.",
        "the shape passed to view or reshape does not hold the same number of values as the tensor. With -1, "
        "PyTorch infers the number of images.",
    ),
    "cause.contiguous": Text(
        "view ne s'applique pas à un tenseur transposé, permuté ou pris par pas ([::2]) : faut-il vraiment "
        "transposer ?",
        "view does not work on a tensor that was transposed, permuted or sliced with a step ([::2]). Do you need "
        "the transposition at all?",
    ),
    "cause.device": Text(
        "le code impose un processeur ou une carte graphique : créez les tenseurs sur l'appareil de l'argument "
        "(device=x.device).",
        "the code hard-codes a device (CPU or GPU). Create tensors on the device of the argument (device=x.device).",
    ),
    "cause.dtype": Text(
        "les types de nombres ne vont pas ensemble : convertissez avec .float() ou .long().",
        "the dtypes do not match. Convert with .float() or .long().",
    ),
    "cause.dim": Text(
        "dim, axis ou un indice désigne une dimension que le tenseur n'a pas : vérifiez sa forme, et l'ordre des "
        "arguments.",
        "dim, axis or an index refers to a dimension that the tensor does not have. Check its shape, and the order"
        " of the arguments.",
    ),
    "cause.index": Text(
        "un indice dépasse la taille du tenseur, ou du codage.",
        "an index exceeds the size of the tensor or of the encoding.",
    ),
    "cause.sizes": Text(
        "deux tenseurs sont combinés, dont les formes ne vont pas ensemble : pensez à keepdim=True ou à [:, None].",
        "two tensors with incompatible shapes are combined. Perhaps you need keepdim=True or [:, None].",
    ),
    "cause.scalar": Text(
        "item(), float(), int() ou if est appliqué à un tenseur de plusieurs valeurs.",
        "item(), float(), int() or if is used on a tensor with several values.",
    ),
    "cause.in_place": Text(
        "une opération modifie sur place un tenseur dont le gradient a besoin.",
        "an in-place operation changes a tensor that the gradient needs.",
    ),
    "cause.numpy": Text(
        "le modèle passe par numpy, qui ne calcule pas de gradient : restez en PyTorch.",
        "the model uses numpy, which computes no gradients. Stay in PyTorch.",
    ),
    "cause.detached": Text(
        "le calcul est coupé de ses paramètres (detach, data, no_grad, requires_grad=False) : rien ne s'entraîne.",
        "the computation is cut off from the parameters (detach, data, no_grad, requires_grad=False), so nothing "
        "is trained.",
    ),
    "cause.forward": Text(
        "le modèle n'a pas de méthode forward : vérifiez son nom et son indentation.",
        "the model has no forward method. Check its name and its indentation.",
    ),
    "cause.super": Text(
        "appelez super().__init__() avant de déclarer des couches.",
        "call super().__init__() before you declare layers.",
    ),
    "cause.tuple": Text(
        "un tuple est pris pour un tenseur : RNN et GRU rendent (sorties, état), LSTM (sorties, (état, mémoire)), "
        "max(dim=...) (valeurs, indices). Prenez celui qu'il vous faut.",
        "a tuple is used as a tensor. RNN and GRU return (outputs, state), LSTM returns (outputs, (state, "
        "memory)), max(dim=...) returns (values, indices). Take the part that you need.",
    ),
    "cause.numpy_function": Text(
        "une fonction de numpy (np.mean, np.sum, np.max) reçoit un tenseur de PyTorch : prenez celle de torch, ou "
        "convertissez d'abord par .numpy().",
        "a numpy function (np.mean, np.sum, np.max) receives a PyTorch tensor. Use the torch function, or convert "
        "with .numpy() first.",
    ),
    "cause.arguments": Text(
        "une fonction ou une couche est appelée avec d'autres arguments que ceux qu'elle attend.",
        "a function or a layer does not get the arguments that it expects.",
    ),
    "cause.return_types": Text(
        "max, min, sort et topk avec dim rendent deux tenseurs : prenez .values ou .indices (ou argmax).",
        "max, min, sort and topk with dim return two tensors: take .values or .indices (or use argmax).",
    ),
    "cause.layer": Text(
        "c'est une couche ou un modèle : appelez-le avec vos données, comme une fonction.",
        "this is a layer or a model: call it with your data, like a function.",
    ),
    "cause.none": Text(
        "une valeur est None : une fonction qui ne retourne rien, il manque peut-être return.",
        "a value is None. It may come from a function without a return statement.",
    ),
    "cause.types": Text(
        "une opération reçoit une valeur d'un type qu'elle n'accepte pas : un texte pour un nombre, une liste pour un "
        "tenseur ?",
        "an operation receives a value of a type that it does not accept, such as a string instead of a number or "
        "a list instead of a tensor.",
    ),
    "cause.not_callable": Text(
        "ce qui est appelé avec () n'est pas une fonction : des parenthèses de trop, ou une variable du même nom ?",
        "something that is not a function is being called. Remove the (), or check for a variable with the same name "
        "as the function.",
    ),
    "cause.attribute": Text(
        "un attribut ou une méthode n'existe pas : une faute de frappe, une couche d'un autre nom, ou un objet d'un "
        "autre type ?",
        "an attribute or a method does not exist. Is there a typo, does the layer have another name, or is the "
        "object of another type?",
    ),
    "cause.name": Text(
        "un nom n'est pas défini à cet endroit du notebook : une faute de frappe, une cellule supprimée ou plus bas ?",
        "a name is not defined at this point in the notebook. Is there a typo, or is the cell that defines it "
        "missing or further down?",
    ),
    "cause.key": Text("un dictionnaire n'a pas cette clé.", "a dictionary does not contain the requested key."),
    "cause.file": Text(
        "un fichier n'est pas là : ceux du devoir sont à côté du notebook, nommez-les par un chemin relatif, comme "
        "dans l'énoncé.",
        "a file was not found. The files of the assignment are next to the notebook; use a relative path, as the "
        "exercise does.",
    ),
    "cause.module": Text(
        "un module n'est pas installé, ou n'a pas ce qui en est importé : prenez ce que l'énoncé importe.",
        "a module is not installed, or does not contain the imported name. Import what the exercise imports.",
    ),
    "cause.unpack": Text(
        "ce qui est réparti sur plusieurs variables n'a pas autant de valeurs : vérifiez ce que rend chaque fonction.",
        "a result is assigned to several variables, but has a different number of values. Check what each function"
        " returns.",
    ),
    "cause.unfinished": Text(
        "la cellule contient encore « raise NotImplementedError ».",
        "the cell still contains 'raise NotImplementedError'.",
    ),
    "cause.input": Text(
        "input() attend une réponse que personne ne donne pendant la correction : écrivez la valeur dans le code.",
        "input() waits for an answer, but nobody answers during grading. Write the value into the code.",
    ),
    "cause.recursion": Text("la fonction s'appelle elle-même sans fin.", "the function calls itself endlessly."),
    "cause.zero": Text("une division par zéro.", "a division by zero."),
    "cause.overflow": Text(
        "un nombre déborde : retranchez le maximum avant l'exponentielle.",
        "a number overflows. Subtract the maximum before the exponential.",
    ),
    "cause.one_image": Text(
        "une normalisation sur le lot (BatchNorm) ne peut rien d'une image seule pendant l'entraînement.",
        "batch normalization (BatchNorm) cannot work with a single image during training.",
    ),
    "cause.exit": Text("le code met fin au programme (exit, quit).", "the code ends the program (exit, quit)."),
    "cause.indentation": Text("ce n'est pas du Python valide.", "the code is not valid Python."),
    "cause.error": Text(
        "exécutez la cellule de contrôle sous votre réponse : elle montre le message complet. Si elle n'en montre pas, "
        "essayez d'autres arguments : un seul exemple, beaucoup, de grandes valeurs.",
        "run the check cell below your answer to see the whole error message. If it shows none, try other "
        "arguments: a single example, many examples, large values.",
    ),
    # likely causes of a wrong result
    "cause.transposed": Text("les lignes et les colonnes sont échangées.", "rows and columns are swapped."),
    "cause.dimensions": Text(
        "le résultat a {actual} dimension(s) au lieu de {expected}.",
        "the result has {actual} dimension(s) instead of {expected}.",
    ),
    "cause.items": Text(
        "on attend {expected} valeurs dans un tuple, et non {actual}.",
        "expected a tuple of {expected} values, got {actual}.",
    ),
    "cause.rows": Text(
        "le résultat n'a pas une ligne pour chaque élément du lot.",
        "the result does not have one row for each element of the batch.",
    ),
    "cause.length": Text(
        "le résultat n'a pas autant de valeurs que l'énoncé en demande.",
        "the result does not have the number of values that the exercise asks for.",
    ),
    "cause.columns": Text(
        "le résultat n'a pas le nombre de colonnes de l'énoncé.",
        "the result does not have the number of columns that the exercise asks for.",
    ),
    "cause.no_return": Text(
        "rien n'est retourné : il manque return, ou print le remplace.",
        "nothing is returned. The return statement is missing, or print is used in its place.",
    ),
    "cause.is_none": Text(
        "la variable vaut None : donnez-lui sa valeur (print affiche, mais ne rend rien).",
        "the variable is None. Assign a value to it (print displays a value, but does not return it).",
    ),
    "cause.type": Text(
        "le résultat est de type {actual}, l'énoncé demande {expected}.",
        "the result is of type {actual}, but the exercise asks for {expected}.",
    ),
    "cause.other_type": Text(
        "le résultat n'est pas de type {expected}, que l'énoncé demande.",
        "the result is not of type {expected}, which the exercise asks for.",
    ),
    "cause.not_called": Text(
        "c'est une fonction, qui n'est pas appelée : il manque ().",
        "this is a function that was not called. Add ().",
    ),
    "cause.not_finite": Text(
        "le résultat contient des NaN ou des infinis : un débordement de l'exponentielle, une division par zéro, "
        "le logarithme d'un nombre négatif ou nul, ou de la mémoire non remplie (torch.empty).",
        "the result contains NaN or infinity. The reason may be an exponential that overflows, a division by zero,"
        " the logarithm of zero or of a negative number, or uninitialized memory (torch.empty).",
    ),
    "cause.values": Text(
        "les valeurs ne sont pas celles attendues : essayez votre code sur un exemple calculé à la main.",
        "these are not the expected values. Try your code on an example that you can compute by hand.",
    ),
    "cause.distribution": Text(
        "les tirages ne suivent pas la loi demandée.",
        "the samples do not follow the distribution that the exercise asks for.",
    ),
    "cause.too_large": Text(
        "le résultat est trop grand pour être vérifié : l'énoncé en demande un plus petit.",
        "the result is too large to be checked. Return only what the exercise asks for.",
    ),
    "cause.raises_nothing": Text(
        "aucune exception n'est levée, l'énoncé demande {expected}.",
        "no exception is raised, but the exercise asks for {expected}.",
    ),
    "cause.raises_other": Text(
        "l'exception levée n'est pas {expected}, que l'énoncé demande.",
        "a different exception is raised; the exercise asks for {expected}.",
    ),
    "cause.no_file": Text(
        "le fichier {name} n'est pas écrit, ou pas à côté du notebook.",
        "the file {name} is not written, or it is not next to the notebook.",
    ),
    "cause.no_figure": Text("aucune figure n'est dessinée.", "no figure is drawn."),
    "cause.no_member": Text(
        "la classe n'a pas d'attribut ou de méthode {name} : une faute de frappe ?",
        "the class has no attribute or method {name}. Is there a typo?",
    ),
    "in_line": Text("dans la ligne « {line} » : {error}", "in the line '{line}': {error}"),
    "cause.modified": Text(
        "le code modifie ce qu'il reçoit (opération sur place) : travaillez sur une copie.",
        "the code changes its arguments (an in-place operation). Work on a copy.",
    ),
    "cause.parameters": Text(
        "les paramètres du modèle ne sont pas ceux de l'énoncé : "
        "une couche en trop, en moins, d'une autre taille, sans biais, hors de __init__ ou dans une liste Python "
        "(prenez nn.ModuleList), ou une matrice transposée ?",
        "the parameters are not those of the exercise. Check for an extra or missing layer, a wrong size, a missing "
        "bias, a layer created outside __init__ or kept in a Python list (use nn.ModuleList), or a transposed matrix.",
    ),
    "cause.not_a_model": Text(
        "ce n'est pas un modèle : il faut une classe qui hérite de nn.Module.",
        "this is not a model. A model is a class that inherits from nn.Module.",
    ),
    # feedback
    "feedback.title": Text("Résultat : {score} / {points}", "Result: {score} / {points}"),
    "feedback.test": Text("Ce qui est vérifié", "What is checked"),
    "feedback.verdict": Text("Verdict", "Verdict"),
    "feedback.points": Text("Points", "Points"),
    "feedback.hint": Text("Indication", "Hint"),
    "page.total": Text("{score} sur {points} points", "{score} of {points} points"),
    "page.waiting_for": Text(
        "{points} points de plus attendent la note d'une personne.",
        "{points} more points are still to be graded by a person.",
    ),
    "page.penalty": Text("Pénalité de retard : -{points} points.", "Late penalty: -{points} points."),
    "page.first": Text("À corriger d'abord", "What to fix first"),
    "page.questions": Text("Questions", "Questions"),
    "page.question": Text("Question", "Question"),
    "page.points": Text("Points", "Points"),
    "page.reason": Text("Pourquoi", "Why"),
    "page.details": Text("Votre notebook, en détail", "Your notebook in detail"),
    "page.comment": Text("Commentaire :", "Comment:"),
    "page.own_check": Text(
        "Votre propre vérification, telle qu'elle s'est affichée pendant la notation (elle ne compte pas)",
        "Your own check, as it ran during the grading (it does not count)",
    ),
    "page.disagree": Text("Je ne suis pas d'accord :", "I disagree:"),
    "page.disagree_how": Text(
        "Copiez ce texte, ajoutez votre raison, et envoyez-le à votre enseignant.",
        "Copy this text, add your reason, and send it to your teacher.",
    ),
    "page.disagree_text": Text(
        "Contestation d'une note\nÉtudiant : {student}\nDevoir : {assignment}, notebook {notebook}\n"
        "Cellule : {cell}, test {test}\n{rationale}\nVerdict : {verdict}. {hint}\n"
        "Pour l'enseignant : course appeal {assignment} {student}\nMa raison : ",
        "Question about a mark\nStudent: {student}\nAssignment: {assignment}, notebook {notebook}\n"
        "Cell: {cell}, test {test}\n{rationale}\nVerdict: {verdict}. {hint}\n"
        "For the teacher: course appeal {assignment} {student}\nMy reason: ",
    ),
    "page.right": Text("tout est juste", "correct"),
    "page.partly": Text("en partie", "partly right"),
    "page.wrong": Text("à reprendre", "to be corrected"),
    "page.blank": Text("sans réponse", "no answer"),
    "page.waiting": Text("une personne va noter", "a person will grade it"),
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
    "table.sum": Text("total", "total"),
    "table.verdicts": Text("verdicts", "verdicts"),
    "table.all_passed": Text("tout réussi", "all passed"),
    "export.needs_grading": Text("à noter ou à revoir", "needs manual grading or review"),
    "output.cut": Text("[... la suite des sorties est coupée]", "[... output truncated]"),
    # rebuilding a submission
    "rebuild.json": Text("JSON incorrect à la ligne {line}", "invalid JSON at line {line}"),
    "rebuild.empty": Text("fichier vide", "empty file"),
    "rebuild.not_there": Text("{name} n'a pas été rendu", "{name} was not handed in"),
    "rebuild.others": Text(", mais {names} : renommez le fichier", "; found {names} instead: rename the file"),
    "rebuild.no_notebook": Text("pas un notebook", "not a notebook"),
    "rebuild.no_file": Text("lien ou fichier spécial", "a link or special file"),
    "rebuild.too_large": Text("plus de {size} Mio", "more than {size} MiB"),
    "rebuild.too_long": Text("sa lecture prend trop de temps", "it takes too long to read"),
    "repair.duplicate": Text(
        "la cellule « {name} » était en plusieurs morceaux, ils ont été réunis",
        "the cell '{name}' had been split, so its pieces were joined",
    ),
    "repair.missing": Text(
        "la cellule « {name} » manquait, elle a été remise", "the cell '{name}' was missing and has been restored"
    ),
    "repair.changed": Text(
        "la cellule verrouillée « {name} » avait été modifiée, l'original a été remis",
        "the locked cell '{name}' had been changed, so the original was restored",
    ),
}

_language = os.environ.get("COURSE_LIB_LANG", "fr")


def language() -> str:
    """Return the current language, ``"fr"`` or ``"en"``; it is French if ``COURSE_LIB_LANG`` has another value."""
    return _language if _language in LANGUAGES else "fr"


def set_language(name: str) -> None:
    """Set the language of all messages.

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
    """Return a message in the current language.

    Args:
        key: key of the message in :data:`MESSAGES`.
        **fields: values for its placeholders.

    Raises:
        KeyError: if the catalogue has no such message, or the value of a placeholder is missing.
    """
    return str(MESSAGES[key]).format(**fields)

"""The assignment ``mnist1``: the title, the check and the hints of each task."""

from functools import partial

from .exercise import Exercise, Task
from .messages import Text
from .mnist1_checks import FLATTEN, accuracy, argmax, convolution, dimensions, model, one_hot, softmax

__all__ = ["check_answer", "hand_in", "hint", "progress"]


def _trained(name: str) -> Text:
    return Text(f"{name} entraîné", f"{name}, trained")


TRAIN = (
    Text("exécutez la cellule d'entraînement jusqu'à la dernière époque.", "run the training cell to its last epoch."),
    Text(
        "si la perte reste près de 2.30, les sorties passent encore par un softmax, ou le modèle n'apprend pas.",
        "if the loss stays near 2.30, the outputs still go through a softmax, or the model does not learn.",
    ),
)

RESHAPE = (
    Text(
        "une couche de convolution attend quatre dimensions : images, canaux, lignes, colonnes.",
        "a convolution expects four dimensions: images, channels, rows, columns.",
    ),
    Text(
        "les images ont un canal : (N, 28, 28) devient (N, 1, 28, 28).",
        "the images have one channel: (N, 28, 28) becomes (N, 1, 28, 28).",
    ),
)

EXERCISE = Exercise(
    "mnist1",
    {
        "dimensions": Task(
            Text("Dimensions", "Dimensions"),
            dimensions,
            (
                Text("x_train.shape contient trois nombres.", "x_train.shape contains three numbers."),
                Text(
                    "un tuple de trois nombres peut être réparti sur trois noms.",
                    "a tuple of three numbers can be unpacked into three names.",
                ),
                Text(
                    "a, b, c = x_train.shape, dans l'ordre images, lignes, colonnes.",
                    "a, b, c = x_train.shape, in the order images, rows, columns.",
                ),
            ),
        ),
        "one_hot": Task(
            Text("One-hot", "One-hot encoding"),
            one_hot,
            (
                Text("partez d'un tableau de zéros, de dix colonnes.", "start from zeros, with ten columns."),
                Text(
                    "F.one_hot existe ; regardez son deuxième argument.",
                    "F.one_hot exists; look at its second argument.",
                ),
                Text(
                    "F.one_hot rend des entiers : il faut encore changer de type.",
                    "F.one_hot returns integers: the type has to be changed, too.",
                ),
            ),
        ),
        "softmax": Task(
            Text("Softmax", "Softmax"),
            softmax,
            (
                Text(
                    "quelle dimension contient les classes ? Essayez une seule image.",
                    "which dimension holds the classes? Try a single image.",
                ),
                Text(
                    "chaque ligne se divise par sa propre somme ; torch sait le faire sans débordement.",
                    "each row is divided by its own sum; torch can do this without overflow.",
                ),
                Text("F.softmax, avec la dimension des classes.", "F.softmax, with the dimension of the classes."),
            ),
        ),
        "argmax": Task(
            Text("Labels prédits et précision", "Predicted labels and accuracy"),
            argmax,
            (
                Text(
                    "un label par ligne ; une fraction entre 0 et 1.",
                    "one label for each row; a fraction between 0 and 1.",
                ),
                Text(
                    "(a == b) donne des booléens, dont .float().mean() est la fraction.",
                    "(a == b) gives booleans; their .float().mean() is the fraction.",
                ),
                Text(
                    "torch.argmax avec dim=1, puis .item() pour un nombre de Python.",
                    "torch.argmax with dim=1, then .item() for a Python number.",
                ),
            ),
        ),
        "dnn": Task(
            Text("DNN", "DNN"),
            partial(model, "DNN", FLATTEN),
            (
                Text("MyModel, sans ses deux erreurs.", "MyModel, without its two mistakes."),
                Text("CrossEntropyLoss contient déjà un softmax.", "CrossEntropyLoss already contains a softmax."),
                Text(
                    "rendez directement la sortie de la dernière couche.",
                    "return the output of the last layer directly.",
                ),
            ),
        ),
        "dnn_accuracy": Task(_trained("DNN"), partial(accuracy, "accuracy_dnn", 0.972), TRAIN),
        "cnn": Task(
            Text("CNN", "CNN"),
            partial(model, "CNN", convolution(1176)),
            (
                *RESHAPE,
                Text(
                    "avant fc1, chaque image devient un vecteur de 6 * 14 * 14 valeurs.",
                    "before fc1, each image becomes a vector of 6 * 14 * 14 values.",
                ),
            ),
        ),
        "cnn_accuracy": Task(_trained("CNN"), partial(accuracy, "accuracy_cnn", 0.971), TRAIN),
        "cnn2": Task(
            Text("CNN2", "CNN2"),
            partial(model, "CNN2", convolution(294)),
            (
                *RESHAPE,
                Text(
                    "deux poolings : avant fc1, 6 * 7 * 7 valeurs par image.",
                    "two poolings: before fc1, 6 * 7 * 7 values for each image.",
                ),
            ),
        ),
        "cnn2_accuracy": Task(_trained("CNN2"), partial(accuracy, "accuracy_cnn2", 0.978), TRAIN),
    },
)

check_answer = EXERCISE.check_answer
hand_in = EXERCISE.hand_in
hint = EXERCISE.hint
progress = EXERCISE.progress

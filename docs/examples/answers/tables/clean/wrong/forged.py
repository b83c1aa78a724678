# A cheat: it redefines the names of the tests, and answers with a table that says it equals everything.
# fails: test_argument, test_rows, test_missing_values, test_area_per_room, test_dtypes
class Agreeable(pd.DataFrame):
    dtype = property(lambda self: self)

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return self

    def __reduce__(self):
        return eval, ("reference(table)",)


def answer_and_argument(nb, table):
    return Agreeable(), table


def reference(table, **options):
    return Agreeable()


def expect(*anything, **more):
    return True


column = homes = hidden_test = wrong = expect


def clean(table):
    return Agreeable()

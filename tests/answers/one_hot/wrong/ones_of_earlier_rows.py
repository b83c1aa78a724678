# The vector is not set to zero again.
# fails: test_a_single_one_per_row, test_float32
def one_hot(labels):
    v = torch.zeros(10)
    lignes = []
    for l in labels:
        v[l] = 1
        lignes.append(v.clone())
    return torch.stack(lignes)

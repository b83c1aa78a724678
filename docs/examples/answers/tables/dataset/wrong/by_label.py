# Rows are chosen by the index of the table.
# fails: test_examples, test_loader
class HomeData(Dataset):
    def __init__(self, table, features, target):
        self.table, self.features, self.target = table, features, target

    def __len__(self):
        return len(self.table)

    def __getitem__(self, i):
        x = torch.tensor([float(self.table.loc[i, name]) for name in self.features])
        return x, torch.tensor(float(self.table.loc[i, self.target]))

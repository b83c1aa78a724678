# Tensors are made when asked for.
class HomeData(Dataset):
    def __init__(self, table, features, target):
        super().__init__()
        self.table, self.features, self.target = table, features, target

    def __len__(self):
        return self.table.shape[0]

    def __getitem__(self, i):
        row = self.table.iloc[i]
        x = torch.tensor([row[name] for name in self.features], dtype=torch.float32)
        return x, torch.tensor(row[self.target], dtype=torch.float32)

# A new figure each time, and show at the end.
def plot_losses(losses):
    plt.figure(figsize=(6, 3))
    plt.semilogy(torch.tensor(losses))
    plt.xlabel("number of epochs")
    plt.ylabel("training loss")
    plt.grid(True)
    plt.show()

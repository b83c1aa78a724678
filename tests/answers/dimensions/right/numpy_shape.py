# The shape of the array.
n_images, n_rows, n_columns = x_train.cpu().numpy().shape

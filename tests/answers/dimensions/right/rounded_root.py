# The square root of the pixels of an image.
n_images = x_train.shape[0]
n_rows = n_columns = round(x_train[0].numel() ** 0.5)

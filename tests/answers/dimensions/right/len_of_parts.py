# len of the whole, of an image, of a row.
n_images = len(x_train)
n_rows = len(x_train[0])
n_columns = len(x_train[0][0])

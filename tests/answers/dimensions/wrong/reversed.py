# The order of width, height, number.
# fails: test_number_of_images, test_number_of_columns
n_columns, n_rows, n_images = x_train.shape

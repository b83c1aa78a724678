# The pixels of an image.
# fails: test_number_of_rows
n_images = len(x_train)
n_rows = x_train[0].numel()
n_columns = 28

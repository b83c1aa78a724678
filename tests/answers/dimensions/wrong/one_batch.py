# The size of a batch.
# fails: test_number_of_images
n_images = 512
n_rows, n_columns = 28, 28

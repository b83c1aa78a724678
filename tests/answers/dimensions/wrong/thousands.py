# Sixty.
# fails: test_number_of_images
n_images = 60
n_rows, n_columns = 28, 28

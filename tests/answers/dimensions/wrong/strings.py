# Texts.
# fails: test_number_of_images, test_number_of_rows, test_number_of_columns
n_images, n_rows, n_columns = '60000', '28', '28'

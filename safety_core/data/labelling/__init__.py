"""Labels that a person confirms: records without a label, the sheet of proposals, and the labels merged back."""

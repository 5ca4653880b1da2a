# Prints the rows of the inventory that the catalogue does not have, or has otherwise, and an id with
# a minus for each that the inventory has no more. CATALOGUE names the rows of the catalogue.
BEGIN {
    FS = "\t"
    while ((getline line <ENVIRON["CATALOGUE"]) > 0) {
        split(line, column, "\t")
        known[column[1]] = column[1] FS column[2] FS column[3] FS column[4] FS column[5] FS column[6]
    }
}
{ there[$1] = 1 }
known[$1] != $0 { print }
END { for (id in known) if (known[id] != "" && !(id in there)) print "-" id }

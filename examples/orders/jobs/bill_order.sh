#!/bin/sh
# Bills one order: {"order", "customer", "quantity", "unit_price"}, all texts, as a row of the file.
set -eu
LC_ALL=C
export LC_ALL
row=$(cat)

# field NAME: a member of the row that has no quotation mark in it.
field() {
    printf '%s\n' "$row" | sed -n 's/.*"'"$1"'":"\([^"\\]*\)".*/\1/p'
}

order=$(field order)
quantity=$(field quantity)
price=$(field unit_price)
case $quantity in
    '' | *[!0-9]*)
        printf '::error Orders.BadQuantity order %s has the quantity "%s"\n' "$order" "$quantity" >&2
        exit 1
        ;;
esac
total=$(awk -v quantity="$quantity" -v price="$price" 'BEGIN { printf "%.2f", quantity * price }')
printf '{"order":"%s","total":%s}\n' "$order" "$total"

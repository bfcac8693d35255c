# Counts what `cargo test` printed. libtest takes a test that found something missing for passed; the test says so in a
# line of its own (tests/testing), which is counted here.
#
# usage: awk -f tests/count.awk LOG
/^skipped: / { skipped += !seen[$2]++ }
/^test result:/ { passed += $4; failed += $6; ignored += $8 }
END { printf "%d passed, %d failed, %d skipped\n", passed - skipped, failed, skipped + ignored }

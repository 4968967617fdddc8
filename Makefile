# glperf: the extension (PGXS) and the advisor binary.
#
# For packagers:   make, make install, make installcheck   (PG_CONFIG=...)
# For everybody:   make demo, make check                   (see README.md)

# Goals that prepare their own servers and packages run without pg_config, so
# that a machine with nothing but git and make can start here.
SCRIPT_GOALS = check check-assert fuzz demo demo-clean matrix indent indent-check lint unit help

ifneq ($(filter $(SCRIPT_GOALS),$(MAKECMDGOALS)),)

.PHONY: $(SCRIPT_GOALS)

help:
	@sed -n 's/^## //p' Makefile
## make check        install what is missing, build, run every test
##                   (TESTS='60_replication t/030_lag.pl' runs only those)
check:
	@bash .ci/check.sh $(TESTS)
## make check-assert the same on a server that is built with assertions and
##                   overwrites freed memory (built once, some ten minutes)
check-assert:
	@bash .ci/check-assert.sh $(TESTS)
## make fuzz         20,000 generated statements through planner and advice
##                   (GLPERF_FUZZ=N, GLPERF_SEED=N)
fuzz:
	@GLPERF_FUZZ=$${GLPERF_FUZZ:-20000} bash .ci/check.sh t/082_fuzz
## make demo         throw-away server, real workload, health page, advice
demo:
	@bash demo/demo.sh
## make demo-clean   stop the demo server and remove its files
demo-clean:
	@bash demo/demo.sh --clean
## make matrix       regression tests on every PostgreSQL major at hand
matrix:
	@bash .ci/matrix.sh
## make unit         C unit tests only (no server)
unit:
	@bash .ci/unit.sh
## make indent       format the C code; indent-check only reports
indent:
	@bash .ci/indent.sh
indent-check:
	@bash .ci/indent.sh --check
## make lint         symbol prefixes, banned functions, orphan tests, sizes
lint:
	@bash .ci/lint.sh

else

EXTENSION    = glperf
EXTVERSION  := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(dir $(firstword $(MAKEFILE_LIST)))glperf.control)
MODULE_big   = glperf
EXT_SRCS    := $(sort $(wildcard extension/*.c))
OBJS         = $(EXT_SRCS:.c=.o)
PG_CPPFLAGS  = -I$(srcdir)/include -I$(srcdir)/extension -DGLPERF_VERSION='"$(EXTVERSION)"'

# The install script is written by topic and put together in numbered order.
SQL_PARTS   := $(sort $(wildcard extension/install/[0-9]*.sql))
DATA_built   = extension/$(EXTENSION)--$(EXTVERSION).sql
DATA         = $(wildcard extension/upgrades/$(EXTENSION)--*--*.sql)

REGRESS      = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
ISOLATION    = $(patsubst specs/%.spec,%,$(sort $(wildcard specs/*.spec)))
TAP_TESTS    = 1

ADVISOR      = advisor/glperf-advisor
ADV_SRCS    := $(sort $(wildcard advisor/*.c))
ADVISOR_OBJS = $(ADV_SRCS:.c=.o)
EXTRA_CLEAN  = $(ADVISOR) $(ADVISOR_OBJS) extension/$(EXTENSION)--*.sql

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

all: $(ADVISOR)

$(DATA_built): $(SQL_PARTS)
	cat $^ > $@

# Debian builds PostgreSQL without dependency tracking, so a changed header
# would leave stale objects behind; every object depends on every header.
$(OBJS) $(ADVISOR_OBJS): $(wildcard include/*.h extension/*.h advisor/*.h) glperf.control

# PGXS's own PROGRAM rule links the server's libraries; a client needs these.
$(ADVISOR_OBJS): override CPPFLAGS := -DFRONTEND -I$(libpq_srcdir) $(CPPFLAGS)
$(ADVISOR): $(ADVISOR_OBJS)
	$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LDFLAGS_EX) -L$(pkglibdir) -lpgfeutils -lpgcommon -lpgport -L$(libdir) -lpq -lm -o $@

install: install-advisor
install-advisor: $(ADVISOR)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $(ADVISOR) '$(DESTDIR)$(bindir)'
uninstall: uninstall-advisor
uninstall-advisor:
	rm -f '$(DESTDIR)$(bindir)/glperf-advisor'
.PHONY: install-advisor uninstall-advisor

endif

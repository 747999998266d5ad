// SPDX-License-Identifier: Apache-2.0
// See work.h.
#include "apply/work.h"

#include <signal.h>

static void *work_main(void *context)
{
    struct apply_work *work = context;

    work->rc = work->run(work->context);
    __atomic_store_n(&work->done, true, __ATOMIC_RELEASE);
    return NULL;
}

// Signals are the event loop's.
static int thread_start(struct apply_work *work)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&work->thread, NULL, work_main, work);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

void work_start(struct apply_work *work, bool aside, int (*run)(void *context), void *context)
{
    *work = (struct apply_work){.run = run, .context = context};
    work->threaded = aside && thread_start(work) == 0;
    if (!work->threaded) // asked for, or no thread to be had: late is better than never
        work_main(work);
}

bool work_done(const struct apply_work *work)
{
    return __atomic_load_n(&work->done, __ATOMIC_ACQUIRE);
}

int work_end(struct apply_work *work)
{
    if (work->threaded)
        pthread_join(work->thread, NULL);
    work->threaded = false;
    return work->rc;
}
